using Matrix.Replication;
using Matrix.Storage.Streams;
using Matrix.Sync.Encryption;
using Matrix.Sync.Rooms;
using Matrix.Sync.Unread;

namespace Matrix.Sync.Users;

/// <summary>
/// What sync holds of a local user, exact as of the positions of <c>SyncState</c>. Guarded by its lock, but for what says otherwise.
/// </summary>
internal sealed class User(string id)
{
    public string Id { get; } = id;
    /// <summary>Own lock.</summary>
    public Signal Signal { get; } = new();
    /// <summary>False: still being loaded, rows go to <see cref="Arriving"/>.</summary>
    public bool IsLoaded { get; set; }
    /// <summary>Everything is there: answers may be made.</summary>
    public bool IsReady { get; set; }
    public List<ArrivingRow>? Arriving { get; set; } = [];

    /// <summary>Memberships by room id, of any kind.</summary>
    public Dictionary<string, UserRoom> Rooms { get; } = new(StringComparer.Ordinal);
    public MembershipLog Log { get; } = new();
    public AccountDataCache AccountData { get; } = new();
    public Dictionary<string, Device> Devices { get; } = new(StringComparer.Ordinal);

    /// <summary>Positions of the newest rows that concern the user: who has seen them has nothing to ask for.</summary>
    public long LastEvent { get; set; }
    public long LastReceipt { get; set; }
    public long LastTyping { get; set; }
    public long LastPresence { get; set; }
    public long LastDeviceList { get; set; }

    /// <summary>Users sharing a room (and himself) whose device lists changed, with the newest position; complete after <see cref="DeviceListFloor"/>.</summary>
    public Dictionary<string, long> DeviceListChanges { get; } = new(StringComparer.Ordinal);
    public long DeviceListFloor { get; set; }
    public ContactTurns Contacts { get; } = new();
    /// <summary>Users sharing a room whose presence changed since this user was loaded, with the newest position.</summary>
    public Dictionary<string, long> PresenceChanges { get; } = new(StringComparer.Ordinal);
    /// <summary>Those are complete after this position.</summary>
    public long PresenceFloor { get; set; }

    /// <summary>When he last sent, read or wrote something, milliseconds; 0: not since he was loaded.</summary>
    public long LastActiveMs { get; set; }
    public long LastUsed { get; set; }
    private int pins;
    /// <summary>Requests that use this object: it stays in memory for them.</summary>
    public bool IsPinned => Volatile.Read(ref pins) > 0;
    public void Pin() => Interlocked.Increment(ref pins);
    public void Unpin() => Interlocked.Decrement(ref pins);
    public long Bytes => 2048 + Rooms.Count * 320L + AccountData.Bytes + (Log.Count + Contacts.Count) * 64L;

    public UserRoom? Find(string roomId) => Rooms.GetValueOrDefault(roomId);

    public Device Device(string deviceId)
    {
        if (!Devices.TryGetValue(deviceId, out var device)) Devices[deviceId] = device = new Device();
        return device;
    }

    public override string ToString() => Id;
}

/// <summary>A row that came while the user was being loaded.</summary>
internal readonly record struct ArrivingRow(StreamDefinition Stream, long Position, Action<User> Apply);

/// <summary>A user's membership in a room, and what is his there.</summary>
internal sealed class UserRoom(string userId, string roomId, long roomNid)
{
    public string UserId { get; } = userId;
    public string RoomId { get; } = roomId;
    public long RoomNid { get; } = roomNid;
    public Membership Membership { get; set; }
    /// <summary>Position of the membership event in stream events; 0: not in the stream.</summary>
    public long Position { get; set; }
    public long EventNid { get; set; }
    public string Sender { get; set; } = "";
    public bool Forgotten { get; set; }
    /// <summary>Whether the user has ever been joined; null: not known.</summary>
    public bool? WasIn { get; set; }
    /// <summary>Watched while joined; else null.</summary>
    public Room? Room { get; set; }
    /// <summary>The user's own receipts by type and thread.</summary>
    public Dictionary<(string Type, string Thread), ReceiptRow> Receipts { get; } = [];
    /// <summary>Position of the newest of those in stream receipts; 0: none.</summary>
    public long LastReceipt { get; set; }
    public SentMarks Sent { get; } = new();
    /// <summary>Of a room that the user is not in; of others the room knows. Null: not known.</summary>
    public RoomFacts? Facts { get; set; }
    /// <summary>Own lock.</summary>
    public UnreadState Unread { get; } = new();

    public void Read(long position, ReceiptRow receipt)
    {
        Receipts[(receipt.ReceiptType, receipt.ThreadId)] = receipt;
        LastReceipt = Math.Max(LastReceipt, position);
    }
}

/// <param name="Before">Membership before the change.</param>
internal readonly record struct MembershipTurn(long Position, string RoomId, Membership Before, Membership After);

/// <summary>The user's newest membership changes. Complete after <see cref="Floor"/>.</summary>
internal sealed class MembershipLog
{
    private const int Max = 1024, TrimBy = 256;
    private readonly List<MembershipTurn> changes = [];

    public long Floor { get; set; }
    public int Count => changes.Count;

    public void Add(MembershipTurn change)
    {
        if (changes.Count >= Max)
        {
            Floor = changes[TrimBy - 1].Position;
            changes.RemoveRange(0, TrimBy);
        }
        changes.Add(change);
    }

    /// <summary>Changes after that position, ascending.</summary>
    public IEnumerable<MembershipTurn> After(long position)
    {
        var i = changes.Count;
        while (i > 0 && changes[i - 1].Position > position) i--;
        for (; i < changes.Count; i++) yield return changes[i];
    }
}

/// <summary>A device of a user: its pending messages, and the members it was told by /sync.</summary>
internal sealed class Device
{
    public ToldMembers Members { get; } = new();

    /// <summary>Messages may wait from here on; <see cref="long.MaxValue"/>: none.</summary>
    public long FirstToDevice { get; set; } = long.MaxValue;
    public long LastToDevice { get; set; }
    /// <summary>Own lock.</summary>
    public KeyCounts Keys { get; } = new();

    public void Arrived(long position)
    {
        FirstToDevice = Math.Min(FirstToDevice, position);
        LastToDevice = position;
    }

    public void Acknowledged(long upTo) => FirstToDevice = LastToDevice > upTo ? upTo + 1 : long.MaxValue;
}
