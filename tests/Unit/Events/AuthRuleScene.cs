using Matrix.Events;
using Matrix.Testing;

namespace Matrix.Unit.Events;

/// <summary>Four users of four servers, and what they may do in a room.</summary>
public abstract class AuthRuleScene
{
    protected static readonly TestUser Alice = TestUser.Of("@alice:a.example");
    protected static readonly TestUser Bob = TestUser.Of("@bob:b.example");
    protected static readonly TestUser Carol = TestUser.Of("@carol:c.example");
    protected static readonly TestUser Dave = TestUser.Of("@dave:d.example");

    protected static bool May(Room room, TestUser sender, string type, string content, string? stateKey = null) =>
        AuthRules.Check(room.Forged(sender, type, content, stateKey), room).Allowed;

    protected static bool MayBe(Room room, TestUser sender, TestUser target, string membership) =>
        May(room, sender, EventTypes.Member, $$"""{"membership":"{{membership}}"}""", target);

    protected static Room Levelled(string version, int bob, string more = "") =>
        Room.Version(version).Public().With(Alice, Bob, Carol).Set(
            Alice, EventTypes.PowerLevels, version == "12"
                ? $$$"""{"users":{"{{{Bob}}}":{{{bob}}}}{{{more}}}}""" : $$$"""{"users":{"{{{Alice}}}":100,"{{{Bob}}}":{{{bob}}}}{{{more}}}}""");
}
