using System.Text;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Testing;

namespace Matrix.Unit.Events;

/// <summary>Who may join, knock, invite, kick and ban.</summary>
public class MembershipRuleTests : AuthRuleScene
{
    [Theory]
    [InlineData("public", "12", true)]
    [InlineData("invite", "12", false)]
    [InlineData("knock", "12", false)]
    [InlineData("private", "12", false)]
    [InlineData("something", "12", false)]
    public void Who_may_join_uninvited_is_the_join_rules_matter(string rule, string version, bool allowed)
    {
        var room = Room.Version(version).WithJoinRule(rule).With(Alice);
        Assert.Equal(allowed, MayBe(room, Carol, Carol, "join"));
        Assert.False(MayBe(room, Bob, Carol, "join"));
    }

    [Theory]
    [InlineData("knock", "6", false)]
    [InlineData("knock", "7", true)]
    [InlineData("restricted", "7", false)]
    [InlineData("restricted", "8", true)]
    [InlineData("knock_restricted", "9", false)]
    [InlineData("knock_restricted", "10", true)]
    [InlineData("invite", "1", true)]
    public void An_invited_user_joins_where_the_version_knows_the_rule(string rule, string version, bool allowed) =>
        Assert.Equal(allowed, MayBe(Room.Version(version).WithJoinRule(rule).With(Alice).Invite(Carol), Carol, Carol, "join"));

    [Theory]
    [InlineData("6", "knock", false)]
    [InlineData("7", "knock", true)]
    [InlineData("9", "knock_restricted", false)]
    [InlineData("10", "knock_restricted", true)]
    [InlineData("12", "public", false)]
    [InlineData("12", "restricted", false)]
    public void Knocking_needs_version_and_rule(string version, string rule, bool allowed)
    {
        var room = Room.Version(version).WithJoinRule(rule).With(Alice);
        Assert.Equal(allowed, MayBe(room, Carol, Carol, "knock"));
        Assert.False(MayBe(room, Bob, Carol, "knock"));
        if (!allowed) return;
        Assert.True(MayBe(room.Fork().Knock(Carol), Carol, Carol, "knock"));
        Assert.True(MayBe(room.Fork().Knock(Carol), Carol, Carol, "leave"));
        Assert.False(MayBe(room.Fork().Invite(Carol), Carol, Carol, "knock"));
        Assert.False(MayBe(room.Fork().Ban(Carol), Carol, Carol, "knock"));
        Assert.False(MayBe(room.Fork().Invite(Carol).Join(Carol), Carol, Carol, "knock"));
    }

    [Theory]
    [InlineData("8", "restricted")]
    [InlineData("10", "knock_restricted")]
    [InlineData("12", "restricted")]
    public void A_restricted_join_needs_a_member_who_may_invite(string version, string rule)
    {
        var room = Room.Version(version).WithJoinRule(rule).With(Alice, Bob);
        Assert.Equal("join", room.Fork().JoinVia(Carol, Alice).MembershipOf(Carol));
        Assert.Equal("join", room.Fork().JoinVia(Carol, Bob).MembershipOf(Carol));
        Assert.Throws<InvalidOperationException>(() => room.JoinVia(Carol, Dave));
        Assert.False(MayBe(room, Carol, Carol, "join"));
        var strict = version == "12" ? """{"invite":50}""" : $$"""{"users":{"{{Alice}}":100},"invite":50}""";
        room.Set(Alice, EventTypes.PowerLevels, strict);
        Assert.Throws<InvalidOperationException>(() => room.JoinVia(Carol, Bob));
        Assert.Throws<InvalidOperationException>(() => room.Fork().Ban(Carol).JoinVia(Carol, Alice));
        Assert.Equal("join", room.JoinVia(Carol, Alice).MembershipOf(Carol));
    }

    [Fact]
    public void The_banned_stay_out_until_unbanned()
    {
        var room = Levelled("11", 50).Ban(Carol, by: Bob);
        Assert.False(MayBe(room, Carol, Carol, "join"));
        Assert.False(MayBe(room, Carol, Carol, "leave"));
        Assert.False(MayBe(room, Bob, Carol, "invite"));
        Assert.True(MayBe(room, Bob, Carol, "leave"));
        var weak = Levelled("11", 50, ""","ban":60""").Ban(Carol);
        Assert.False(MayBe(weak, Bob, Carol, "leave"));
        Assert.False(MayBe(weak, Bob, Alice, "ban"));
    }

    [Fact]
    public void Kicks_need_the_level_and_a_higher_one_than_the_target()
    {
        Assert.True(MayBe(Levelled("11", 50), Bob, Carol, "leave"));
        Assert.False(MayBe(Levelled("11", 49), Bob, Carol, "leave"));
        Assert.False(MayBe(Levelled("11", 50), Bob, Alice, "leave"));
        Assert.False(MayBe(Levelled("11", 100), Bob, Alice, "leave"));
        Assert.False(MayBe(Levelled("11", 50), Dave, Carol, "leave"));
        Assert.True(MayBe(Levelled("11", 0), Carol, Carol, "leave"));
        Assert.False(MayBe(Levelled("11", 0), Dave, Dave, "leave"));
        Assert.False(MayBe(Levelled("11", 0), Dave, Dave, "dance"));
    }

    [Fact]
    public void Invites_need_membership_and_level()
    {
        Assert.True(MayBe(Levelled("11", 0), Carol, Dave, "invite"));
        Assert.False(MayBe(Levelled("11", 0, ""","invite":1"""), Carol, Dave, "invite"));
        Assert.False(MayBe(Levelled("11", 0), Dave, Dave, "invite"));
        Assert.False(MayBe(Levelled("11", 0), Bob, Carol, "invite"));
    }

    [Fact]
    public void A_third_party_invite_is_honoured_by_its_signature()
    {
        var identity = TestServer.Named("identity.example");
        var key = Matrix.Primitives.UnpaddedBase64.Encode(identity.Key.PublicKey);
        var room = Room.Version("11").With(Alice, Bob).Set(Alice, EventTypes.ThirdPartyInvite, $$"""{"public_key":"{{key}}"}""", "tok");
        string Content(string mxid, string token)
        {
            var signed = EventSigning.SignJson(
                Encoding.UTF8.GetBytes($$"""{"mxid":"{{mxid}}","token":"{{token}}"}"""), identity.Name, identity.Key, Ed25519.Default);
            return $"{{\"membership\":\"invite\",\"third_party_invite\":{{\"signed\":{Encoding.UTF8.GetString(signed)}}}}}";
        }
        AuthVerdict Check(TestUser sender, string content, IAuthContext? context) =>
            AuthRules.Check(room.Forged(sender, EventTypes.Member, content, Carol), room, context);
        var context = new Context();
        Assert.True(Check(Alice, Content(Carol, "tok"), context).Allowed);
        Assert.False(Check(Alice, Content(Carol, "tok"), null).Allowed);
        Assert.False(Check(Bob, Content(Carol, "tok"), context).Allowed);
        Assert.False(Check(Alice, Content(Dave, "tok"), context).Allowed);
        Assert.False(Check(Alice, Content(Carol, "nok"), context).Allowed);
        Assert.False(Check(Alice, Content(Carol, "tok").Replace("\"tok\"", "\"t\"", StringComparison.Ordinal), context).Allowed);
        Assert.False(Check(Alice, """{"membership":"invite","third_party_invite":{}}""", context).Allowed);
        room.Ban(Carol);
        Assert.False(Check(Alice, Content(Carol, "tok"), context).Allowed);
    }

    private sealed class Context : IAuthContext
    {
        public IEd25519 Ed25519 => Crypto.Ed25519.Default;
    }
}
