using Matrix.Primitives;
using Matrix.Sync.Answers;
using Matrix.Sync.Encryption;
using Matrix.Sync.Engine;
using Matrix.Sync.Sliding.Extensions;
using Matrix.Sync.Store;

namespace Matrix.Sync.Sliding;

/// <summary>A part of an answer that a client asks for by name. One object for one answer.</summary>
internal abstract class SlidingExtension(ExtensionRequest request)
{
    public string Name => Request.Name;
    protected ExtensionRequest Request { get; } = request;

    /// <summary>Finds what changed, as of the answer's moment. Under the read lock: references only.</summary>
    public abstract void Plan(ExtensionContext context);
    /// <summary>Gets what is older than memory, once the rooms of the answer are complete.</summary>
    public virtual Task FillAsync(ExtensionContext context, ISyncStore store, CancellationToken ct) => Task.CompletedTask;
    /// <summary>There is something that a waiting client is woken for.</summary>
    public abstract bool HasNews { get; }
    /// <summary>Left out of the answer otherwise.</summary>
    public virtual bool IsWritten => HasNews;
    /// <summary>Writes its object.</summary>
    public abstract void Write(PooledBuffer output, ExtensionContext context);
}

/// <summary>What an extension may look at.</summary>
internal sealed class ExtensionContext
{
    private HashSet<SelectedRoom>? initial;

    public required SyncState State { get; init; }
    public required Reader Reader { get; init; }
    public required AnswerPlan Plan { get; init; }
    /// <summary>Null: the connection begins.</summary>
    public required Positions? Since { get; init; }
    public required OlderChanges Older { get; init; }
    public required Selection Selection { get; init; }
    public required ConnectionState Before { get; init; }
    public required IReadOnlyList<ToldRoom> Told { get; init; }
    public required EncryptionNews Encryption { get; init; }

    /// <summary>The client has not asked for this before, or has asked for other rooms.</summary>
    public bool IsNew(ExtensionRequest request) =>
        Since is null || !Before.Extensions.TryGetValue(request.Name, out var scope) || scope != request.Scope;

    /// <summary>The client may have missed something of the room, since it was not in its lists, or its user not in the room, all the time.</summary>
    public bool HasMissed(SelectedRoom room) =>
        !Before.Rooms.TryGetValue(room.Own.RoomNid, out var sent) || !sent.IsLive || (initial ??= [.. Told.Where(t => t.IsInitial).Select(t => t.Room)]).Contains(room);

    /// <summary>Rooms of the answer that the extension is about: in one of its lists, or one that it names; all that are subscribed to, if it names none.</summary>
    public IEnumerable<SelectedRoom> RoomsOf(ExtensionRequest request)
    {
        foreach (var (roomId, room) in Selection.Rooms)
        {
            var isListed = request.Lists is { } lists ? room.Lists.Exists(lists.Contains) : room.Lists.Count > 0;
            if (isListed || (request.Rooms is { } rooms ? rooms.Contains(roomId) : room.IsSubscribed)) yield return room;
        }
    }
}

/// <summary>Extensions by name.</summary>
internal static class SlidingExtensions
{
    private static readonly Dictionary<string, Func<ExtensionRequest, SlidingExtension>> ByName = new(StringComparer.Ordinal)
    {
        ["to_device"] = r => new ToDeviceExtension(r),
        ["e2ee"] = r => new EncryptionExtension(r),
        ["account_data"] = r => new AccountDataExtension(r),
        ["receipts"] = r => new ReceiptsExtension(r),
        ["typing"] = r => new TypingExtension(r),
        ["io.element.msc4360.threads"] = r => new ThreadsExtension(r),
    };

    public static IReadOnlyCollection<string> Names => ByName.Keys;

    public static SlidingExtension Create(ExtensionRequest request) => ByName[request.Name](request);
}
