using Matrix.Crypto;
using Matrix.Events;
using Matrix.Testing;

namespace Matrix.Unit.Events;

public class RoomBuilderTests
{
    private static readonly TestUser Alice = TestUser.Of("@alice:a.example");
    private static readonly TestUser Bob = TestUser.Of("@bob:b.example");
    private static readonly TestUser Carol = TestUser.Of("@carol:c.example");

    public static TheoryData<string> Versions => [.. RoomVersions.All.Select(v => v.Id)];

    [Theory, MemberData(nameof(Versions))]
    public void A_room_of_every_version_can_be_made_joined_forked_and_merged(string version)
    {
        var room = Room.Version(version).With(Alice, Bob).Say(Alice, "before \u2028 \"quotes\" 😀");
        var fork = room.Fork().Set(Bob, "m.room.member", """{"displayname":"Bob 2","membership":"join"}""", Bob);
        room.Levels(Alice, room.RoomVersion.PrivilegedCreators ? [(Bob, 50)] : [(Alice, 100), (Bob, 50)]).Say(Alice, "here");
        room.Merge(fork).Say(Bob, "together");

        Assert.Equal(2, room.Last.PrevEvents.Length);
        Assert.Equal(50, PowerLevels.Read(room.Get(EventTypes.Create)!, room.Get(EventTypes.PowerLevels)).Of(Bob));
        Assert.Equal("Bob 2", room.Get(EventTypes.Member, Bob)!.ContentString("displayname"u8));
        Assert.Equal(room.RoomVersion.RoomIdIsCreateHash, !room.RoomId.Contains(':'));
    }

    [Theory, MemberData(nameof(Versions))]
    public void Every_event_reads_back_with_the_same_id_a_true_hash_and_a_valid_signature(string version)
    {
        var room = Room.Version(version).Public().With(Alice, Bob).Say(Bob, "one");
        room.Redact(Alice, room.Last.EventId).Leave(Bob);
        foreach (var e in room.Events)
        {
            Assert.Null(Pdu.TryReadUntrusted(e.Json.Span, e.Version, out var read));
            Assert.Equal(e.EventId, read!.EventId);
            Assert.Equal(e.RoomId, read.RoomId);
            Assert.Equal(e.AuthEvents, read.AuthEvents);
            Assert.Equal(e.PrevEvents, read.PrevEvents);
            Assert.Equal(e.Redacts, read.Redacts);
            Assert.True(EventHashes.ContentHashMatches(e.Json.Span));
            var server = e.Sender == Alice.Id ? Alice.Server : Bob.Server;
            Assert.True(EventSigning.VerifyEvent(e.Json.Span, e.Version, server.Name, server.Key.KeyId, server.Key.PublicKey, Ed25519.Default));
            var auth = e.AuthEvents.Select(room.Dag.Find).ToArray();
            Assert.True(AuthRules.CheckAuthEvents(e, auth, _ => false).Allowed);
        }
    }

    [Fact]
    public void What_the_rules_refuse_is_not_built()
    {
        var room = Room.Version("11").With(Alice).Invite(Bob);
        Assert.Throws<InvalidOperationException>(() => room.Join(Carol));
        Assert.Throws<InvalidOperationException>(() => room.Kick(Alice, by: Bob));
        var forged = room.Forged(Carol, "m.room.message", "{}", append: true);
        Assert.False(AuthRules.Check(forged, room).Allowed);
        Assert.Equal([forged.EventId], room.Say(Alice, "after it").Last.PrevEvents);
    }

    [Fact]
    public void A_restricted_join_is_signed_by_the_server_that_vouches_for_it()
    {
        var room = Room.Version("12").WithJoinRule("restricted").With(Alice).JoinVia(Bob, Alice);
        Assert.Equal(2, EventSigning.Signatures(room.Last.Json.Span).Count);
        Assert.Equal(Memberships.Join, room.MembershipOf(Bob));
        var unsigned = room.Forged(Carol, "m.room.member", $$"""{"membership":"join","join_authorised_via_users_server":"{{Alice.Id}}"}""", Carol);
        Assert.False(AuthRules.Check(unsigned, room).Allowed);
    }
}
