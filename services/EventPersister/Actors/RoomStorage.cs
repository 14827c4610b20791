using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Actors;

/// <summary>What actors read rooms with, and where their numbers come from.</summary>
internal sealed record RoomStorage(StateKeys StateKeys, RoomLoader Loader, EventReader Events, Numbers Numbers, EventGraphReader Graph, StateReader States);

internal sealed record Numbers(NidBlocks Events, NidBlocks Snapshots, NidBlocks Rooms);
