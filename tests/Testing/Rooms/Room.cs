using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Matrix.Events;

namespace Matrix.Testing;

/// <summary>
/// One branch of a room under test: <c>Room.Version("11").With(alice).Invite(bob).Fork()</c>. Every event is real: hashed, signed by its
/// sender's server, authorised by the state of the branch. What the rules refuse throws, unless it is made by <see cref="Forged"/>.
/// The first user given to <see cref="With"/> makes the room. The default join rule is invite; <see cref="Public"/> before that changes it.
/// </summary>
public sealed partial class Room : IStateView
{
    private static int _count;

    private readonly RoomDag _dag;
    private string? _roomId;
    private TestUser? _creator;
    private string _joinRule = "invite";
    private string[] _additionalCreators = [];
    private ImmutableArray<string> _extremities = [];

    private Room(RoomDag dag) => _dag = dag;

    /// <summary>A room of that version that nobody has made yet.</summary>
    public static Room Version(string version) =>
        new(new RoomDag(RoomVersions.Find(version) ?? throw new ArgumentException($"No room version {version}.", nameof(version))));

    public RoomDag Dag => _dag;
    public RoomVersion RoomVersion => _dag.Version;
    public string RoomId => _roomId ?? throw new InvalidOperationException("Nobody made this room yet: call With first.");
    public TestUser Creator => _creator ?? throw new InvalidOperationException("Nobody made this room yet: call With first.");

    /// <summary>Events that nothing on this branch cites yet.</summary>
    public IReadOnlyList<string> Extremities => _extremities;

    /// <summary>The state of this branch after its last event.</summary>
    public ImmutableDictionary<StateKey, string> State { get; private set; } = ImmutableDictionary<StateKey, string>.Empty;

    /// <summary>All events of all branches, parents before children.</summary>
    public IReadOnlyList<Pdu> Events => _dag.Events;

    /// <summary>The event made last on this branch.</summary>
    public Pdu Last { get; private set; } = null!;

    public Pdu? Get(StateKey key) => State.TryGetValue(key, out var id) ? _dag.Find(id) : null;
    public Pdu? Get(string type, string key = "") => Get(new StateKey(type, key));

    /// <summary>Null: no member event.</summary>
    public string? MembershipOf(string userId) => Get(EventTypes.Member, userId)?.Membership;

    /// <summary>Before <see cref="With"/>: anybody may join.</summary>
    public Room Public() => WithJoinRule("public");

    /// <summary>Before <see cref="With"/>: the join rule the room starts with.</summary>
    public Room WithJoinRule(string joinRule)
    {
        if (_creator is not null) throw new InvalidOperationException("The room exists: send m.room.join_rules instead.");
        _joinRule = joinRule;
        return this;
    }

    /// <summary>Before <see cref="With"/>, version 12: further creators.</summary>
    public Room WithCreators(params TestUser[] additional)
    {
        _additionalCreators = [.. additional.Select(u => u.Id)];
        return this;
    }

    /// <summary>The first user ever makes the room; every other one becomes a member by whatever way the room has.</summary>
    public Room With(params TestUser[] users)
    {
        foreach (var user in users)
        {
            if (_creator is null) Make(user);
            else if (MembershipOf(user) != Memberships.Join) Enter(user);
        }
        return this;
    }

    private void Make(TestUser creator)
    {
        _creator = creator;
        var version = _dag.Version;
        if (!version.RoomIdIsCreateHash) _roomId = $"!room{Interlocked.Increment(ref _count)}:{creator.Server.Name}";
        var content = new StringBuilder($"{{\"room_version\":{Json(version.Id)}");
        if (!version.ImplicitCreator) content.Append($",\"creator\":{Json(creator.Id)}");
        if (_additionalCreators.Length > 0) content.Append($",\"additional_creators\":[{string.Join(',', _additionalCreators.Select(Json))}]");
        content.Append('}');
        Append(creator, EventTypes.Create, content.ToString(), "");
        _roomId ??= Last.RoomId;
        Join(creator);
        var users = version.PrivilegedCreators ? "{}" : $"{{{Json(creator.Id)}:100}}";
        Set(creator, EventTypes.PowerLevels, $"{{\"users\":{users}}}");
        Set(creator, EventTypes.JoinRules, $"{{\"join_rule\":{Json(_joinRule)}}}");
        Set(creator, EventTypes.HistoryVisibility, """{"history_visibility":"shared"}""");
    }

    private void Enter(TestUser user)
    {
        if (Get(EventTypes.JoinRules)?.ContentString("join_rule"u8) != "public" && MembershipOf(user) != Memberships.Invite) Invite(user);
        Join(user);
    }

    public Room Invite(TestUser user, TestUser? by = null) => Member(by ?? Creator, user, Memberships.Invite);
    public Room Join(TestUser user) => Member(user, user, Memberships.Join);
    public Room Leave(TestUser user) => Member(user, user, Memberships.Leave);
    public Room Knock(TestUser user) => Member(user, user, Memberships.Knock);
    public Room Kick(TestUser user, TestUser? by = null) => Member(by ?? Creator, user, Memberships.Leave);
    public Room Ban(TestUser user, TestUser? by = null) => Member(by ?? Creator, user, Memberships.Ban);

    /// <summary>A join that a member's server vouches for and signs (restricted rooms).</summary>
    public Room JoinVia(TestUser user, TestUser authoriser) =>
        Append(user, EventTypes.Member, $"{{\"membership\":\"join\",\"join_authorised_via_users_server\":{Json(authoriser.Id)}}}", user.Id, alsoSignedBy: authoriser.Server);

    public Room Member(TestUser sender, TestUser target, string membership) =>
        Append(sender, EventTypes.Member, $"{{\"membership\":{Json(membership)}}}", target.Id);

    public Room Say(TestUser sender, string text) =>
        Append(sender, EventTypes.Message, $"{{\"body\":{Json(text)},\"msgtype\":\"m.text\"}}", null);

    /// <summary>A state event with the given content.</summary>
    public Room Set(TestUser sender, string type, string contentJson, string stateKey = "") => Append(sender, type, contentJson, stateKey);

    /// <summary>An event that is no state event.</summary>
    public Room Send(TestUser sender, string type, string contentJson) => Append(sender, type, contentJson, null);

    public Room Redact(TestUser sender, string eventId) => Append(sender, EventTypes.Redaction, "{}", null, redacts: eventId);

    /// <summary>The users' levels; members of the content that are not about users stay.</summary>
    public Room Levels(TestUser sender, params (TestUser User, int Level)[] users)
    {
        var list = string.Join(',', users.Select(u => $"{Json(u.User.Id)}:{u.Level}"));
        return Set(sender, EventTypes.PowerLevels, $"{{\"users\":{{{list}}}}}");
    }

    internal static string Json(string text) => JsonSerializer.Serialize(text);
}
