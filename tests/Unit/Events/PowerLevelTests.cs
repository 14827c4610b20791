using Matrix.Events;
using Matrix.Testing;

namespace Matrix.Unit.Events;

public class PowerLevelTests
{
    private static readonly TestUser Alice = TestUser.Of("@alice:a.example");
    private static readonly TestUser Bob = TestUser.Of("@bob:b.example");
    private static readonly TestUser Carol = TestUser.Of("@carol:c.example");

    private static PowerLevels Of(Room room) => PowerLevels.Read(room.Get(EventTypes.Create)!, room.Get(EventTypes.PowerLevels));

    private static bool MaySet(Room room, TestUser sender, string content) =>
        AuthRules.Check(room.Forged(sender, EventTypes.PowerLevels, content, ""), room).Allowed;

    [Fact]
    public void Defaults_are_those_of_the_spec()
    {
        var levels = Of(Room.Version("11").With(Alice).Set(Alice, EventTypes.PowerLevels, $$$"""{"users":{"{{{Alice}}}":100}}"""));
        Assert.Equal((50, 50, 0, 50), (levels.Ban, levels.Kick, levels.Invite, levels.Redact));
        Assert.Equal((100, 0), (levels.Of(Alice), levels.Of(Bob)));
        Assert.Equal((50, 0), (levels.ToSend("m.x", isState: true), levels.ToSend("m.x", isState: false)));
        Assert.Equal(50, levels.ToNotify("room"));
    }

    [Fact]
    public void Without_an_event_the_creator_has_100()
    {
        foreach (var version in new[] { "1", "10", "11" })
        {
            var levels = PowerLevels.Read(Room.Version(version).With(Alice).Get(EventTypes.Create)!, null);
            Assert.Equal((100, 0), (levels.Of(Alice), levels.Of(Bob)));
            Assert.Equal(50, levels.ToSend("m.x", isState: true));
        }
    }

    [Fact]
    public void Creators_of_version_12_stand_above_everybody()
    {
        var room = Room.Version("12").Public().WithCreators(Carol).With(Alice, Bob, Carol);
        Assert.Equal((long.MaxValue, long.MaxValue, 0), (Of(room).Of(Alice), Of(room).Of(Carol), Of(room).Of(Bob)));
        room.Levels(Alice, (Bob, 9007199));
        Assert.False(AuthRules.Check(room.Forged(Bob, EventTypes.Member, """{"membership":"leave"}""", Alice), room).Allowed);
        Assert.False(AuthRules.Check(room.Forged(Carol, EventTypes.Member, """{"membership":"ban"}""", Alice), room).Allowed);
        Assert.True(AuthRules.Check(room.Forged(Carol, EventTypes.Member, """{"membership":"ban"}""", Bob), room).Allowed);
        Assert.False(MaySet(room, Alice, $$$"""{"users":{"{{{Alice}}}":100}}"""));
        Assert.False(MaySet(room, Alice, $$$"""{"users":{"{{{Carol}}}":0}}"""));
        Assert.True(MaySet(room, Carol, $$"""{"users":{"{{Bob}}":9007199254740991},"events_default":9007199254740991}"""));
    }

    [Fact]
    public void The_same_levels_are_read_once()
    {
        var room = Room.Version("11").With(Alice);
        Assert.Same(Of(room), Of(room));
        Assert.NotSame(Of(room), Of(room.Levels(Alice, (Alice, 99))));
    }

    [Theory]
    [InlineData("9", "\"50\"", 50)]
    [InlineData("9", "\" +0050 \"", 50)]
    [InlineData("9", "\"-7\"", -7)]
    [InlineData("1", "50.57", 50)]
    [InlineData("1", "-1.9", -1)]
    [InlineData("1", "5.114698E4", 51146)]
    [InlineData("1", "1e300", long.MaxValue)]
    public void Old_versions_read_levels_from_strings_and_fractions(string version, string value, long level)
    {
        Assert.True(PowerLevelContent.TryLevel(System.Text.Encoding.UTF8.GetBytes(value), RoomVersions.Find(version)!, out var actual));
        Assert.Equal(level, actual);
    }

    [Theory]
    [InlineData("10", "\"50\"")]
    [InlineData("9", "\"50.5\"")]
    [InlineData("9", "\"\"")]
    [InlineData("9", "\"5 0\"")]
    [InlineData("9", "\"99999999999999999999\"")]
    [InlineData("9", "50.5")]
    [InlineData("1", "1e999")]
    [InlineData("1", "null")]
    [InlineData("1", "[]")]
    [InlineData("1", "true")]
    public void What_is_no_level_is_none(string version, string value) =>
        Assert.False(PowerLevelContent.TryLevel(System.Text.Encoding.UTF8.GetBytes(value), RoomVersions.Find(version)!, out _));

    [Theory]
    [InlineData("10", """{"users":[]}""", false)]
    [InlineData("10", """{"users":{"bob":1}}""", false)]
    [InlineData("10", """{"users":{"@bob:b.example":"1"}}""", false)]
    [InlineData("9", """{"users":{"@bob:b.example":"1"}}""", true)]
    [InlineData("9", """{"users":{"@bob:b.example":"x"}}""", false)]
    [InlineData("10", """{"ban":"50"}""", false)]
    [InlineData("9", """{"ban":"50"}""", true)]
    [InlineData("10", """{"ban":null}""", false)]
    [InlineData("10", """{"events":{"m.x":"1"}}""", false)]
    [InlineData("10", """{"events":[]}""", false)]
    [InlineData("10", """{"notifications":{"room":"1"}}""", false)]
    [InlineData("9", """{"notifications":{"room":"1"}}""", true)]
    [InlineData("10", """{"notifications":5}""", false)]
    [InlineData("10", """{"custom":"text"}""", true)]
    [InlineData("10", "{}", true)]
    public void Malformed_levels_are_refused_as_the_version_says(string version, string content, bool allowed)
    {
        var room = Room.Version(version).With(Alice);
        var state = new Vectors.MapState(room.State.Values.Select(id => room.Dag.Find(id)!).Where(e => e.Type != EventTypes.PowerLevels));
        Assert.Equal(allowed, AuthRules.Check(room.Forged(Alice, EventTypes.PowerLevels, content, ""), state).Allowed);
    }

    private const string Before =
        """{"users":{"@alice:a.example":100,"@bob:b.example":50,"@carol:c.example":50,"@dave:d.example":10},"events":{"m.low":20,"m.high":80,"m.room.power_levels":50},"ban":60,"notifications":{"room":80,"low":5}}""";

    [Theory]
    // Nothing, and what stays below the sender's 50.
    [InlineData("", "", true)]
    [InlineData("\"m.low\":20", "\"m.low\":50", true)]
    [InlineData("\"m.low\":20", "\"m.low\":51", false)]
    [InlineData("\"m.low\":20,", "", true)]
    [InlineData("\"m.high\":80,", "", false)]
    [InlineData("\"m.high\":80", "\"m.high\":20", false)]
    [InlineData("\"m.high\":80", "\"m.high\":80,\"m.new\":50", true)]
    [InlineData("\"m.high\":80", "\"m.high\":80,\"m.new\":51", false)]
    [InlineData("\"ban\":60,", "", false)]
    [InlineData("\"ban\":60", "\"ban\":50", false)]
    [InlineData("\"ban\":60", "\"ban\":60,\"kick\":50", true)]
    [InlineData("\"ban\":60", "\"ban\":60,\"kick\":51", false)]
    [InlineData("\"ban\":60", "\"ban\":60,\"users_default\":51", false)]
    // Users: nobody at the sender's own level but himself.
    [InlineData("\"@dave:d.example\":10", "\"@dave:d.example\":50", true)]
    [InlineData("\"@dave:d.example\":10", "\"@dave:d.example\":51", false)]
    [InlineData(",\"@dave:d.example\":10", "", true)]
    [InlineData("\"@carol:c.example\":50", "\"@carol:c.example\":49", false)]
    [InlineData("\"@carol:c.example\":50,", "", false)]
    [InlineData("\"@bob:b.example\":50", "\"@bob:b.example\":49", true)]
    [InlineData("\"@bob:b.example\":50", "\"@bob:b.example\":51", false)]
    [InlineData("\"@bob:b.example\":50,", "", true)]
    [InlineData("\"@alice:a.example\":100", "\"@alice:a.example\":99", false)]
    [InlineData("\"low\":5", "\"low\":50", true)]
    [InlineData("\"room\":80", "\"room\":50", false)]
    public void Changes_stay_within_the_senders_level(string old, string changed, bool allowed)
    {
        var room = Room.Version("11").Public().With(Alice, Bob, Carol).Set(Alice, EventTypes.PowerLevels, Before);
        Assert.Equal(allowed, MaySet(room, Bob, old.Length == 0 ? Before : Before.Replace(old, changed, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("5", true)]
    [InlineData("6", false)]
    public void Notifications_are_guarded_from_version_6_on(string version, bool allowed)
    {
        var room = Room.Version(version).Public().With(Alice, Bob).Set(Alice, EventTypes.PowerLevels, Before);
        Assert.Equal(allowed, MaySet(room, Bob, Before.Replace("\"room\":80", "\"room\":0", StringComparison.Ordinal)));
    }
}
