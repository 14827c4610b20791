using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.Pdus;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Testing.Federation;

namespace Matrix.Testing;

// What is done with each event that is shown, or that comes from another server.
public sealed partial class CoreOperations
{
    private const int Page = 100;

    private void AddReading(Room room, Pdu message)
    {
        var bob = new UserId("@bob:example.org");
        var visibility = Stored(room.Get(EventTypes.HistoryVisibility)!, 5);
        StoredEvent[] page = [.. Enumerable.Range(0, Page).Select(i => Stored(message, 100 + i))];
        // The readers are not there: nothing may be asked of the database.
        var sights = new EventVisibility(null!, null!, null!);
        void See(long joinedAt)
        {
            RoomStanding[] standing = [new(1, new MembershipRecord(1, room.RoomId, bob.Value, Memberships.Join, 9, joinedAt, bob.Value, false), visibility, null)];
            var seen = sights.FilterAsync(bob, page, standing, CancellationToken.None);
            if (!seen.IsCompletedSuccessfully || seen.Result.Count != Page) throw new InvalidOperationException("not all of it was seen, or not at once");
        }
        _operations["visibility, 100 messages, joined before"] = () => See(10);
        _operations["visibility, 100 messages, joined after, shared"] = () => See(1_000);

        var reply = room.Send(Alice, EventTypes.Message, """{"body":"x","m.relates_to":{"event_id":"$parent","rel_type":"m.thread"},"msgtype":"m.text"}""").Last;
        _operations["read relation, none"] = () => EventRelation.Read(message);
        _operations["read relation, thread"] = () => EventRelation.Read(reply);

        var checker = new PduChecker(new TestKeyRing(), new ServerIdentity("test.example", TestServer.Named("test.example").Key, Ed25519.Default));
        _operations["check event of another server"] = () =>
        {
            var check = checker.CheckAsync(message.Json, message.Version, message.RoomId, signaturesChecked: false, CancellationToken.None);
            if (!check.IsCompletedSuccessfully || check.Result.Reason is not null) throw new InvalidOperationException("the event is as it should be");
        };
    }

    private static StoredEvent Stored(Pdu pdu, long position) => new()
    {
        EventNid = position, RoomNid = 1, Position = position, Flags = EventFlags.None, SnapshotNid = 1, ReceivedTsMs = 0, Pdu = pdu,
    };
}
