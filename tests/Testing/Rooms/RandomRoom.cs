using Matrix.Events;

namespace Matrix.Testing;

/// <summary>What people might do to a room, in branches that part and meet, following from a list of numbers.</summary>
public static class RandomRoom
{
    /// <summary>The branches, the first being <paramref name="room"/>; what the rules refuse is simply not done. The first user made the room.</summary>
    public static IReadOnlyList<Room> Play(Room room, IReadOnlyList<TestUser> users, IReadOnlyList<int> steps, int maxBranches = 5)
    {
        var mine = room.RoomVersion.PrivilegedCreators ? Array.Empty<(TestUser, int)>() : [(users[0], 100)];
        Try(() => room.Levels(users[0], [.. mine, (users[1], 50)]));
        var branches = new List<Room> { room };
        foreach (var step in steps)
        {
            var branch = branches[step % branches.Count];
            var actor = users[step / 7 % users.Count];
            var target = users[step / 31 % users.Count];
            switch (step / 127 % 12)
            {
                case 0 when branches.Count < maxBranches: branches.Add(branch.Fork()); break;
                case 1: branch.Merge(branches[step / 3 % branches.Count]); break;
                case 2: Try(() => branch.Set(actor, EventTypes.Topic, $"{{\"topic\":\"{step}\"}}")); break;
                case 3: Try(() => branch.Set(actor, EventTypes.JoinRules, $"{{\"join_rule\":\"{(step % 2 == 0 ? "invite" : "public")}\"}}")); break;
                case 4: Try(() => branch.Levels(actor, [.. mine, (users[1], step % 60), (users[2], step % 100)])); break;
                case 5: Try(() => branch.Ban(target, actor)); break;
                case 6: Try(() => branch.Kick(target, actor)); break;
                case 7: Try(() => branch.Join(actor)); break;
                case 8: Try(() => branch.Invite(target, actor)); break;
                case 9: Try(() => branch.Leave(actor)); break;
                case 10: Try(() => branch.Say(actor, $"{step}")); break;
                default: Try(() => branch.Set(actor, EventTypes.Member, $"{{\"membership\":\"join\",\"displayname\":\"{step}\"}}", actor)); break;
            }
        }
        return branches;
    }

    /// <summary>Joins all branches by an event of whoever may; null: nobody may.</summary>
    public static Room? Join(IReadOnlyList<Room> branches, IReadOnlyList<TestUser> users)
    {
        var joined = branches[0].Fork();
        foreach (var other in branches.Skip(1)) joined.Merge(other);
        foreach (var user in users)
        {
            if (joined.MembershipOf(user) != Memberships.Join) continue;
            if (Try(() => joined.Say(user, "all branches"))) return joined;
        }
        return null;
    }

    private static bool Try(Action act)
    {
        try
        {
            act();
            return true;
        }
        catch (InvalidOperationException)
        {
            // Refused by the rules: that branch stays as it was.
            return false;
        }
    }
}
