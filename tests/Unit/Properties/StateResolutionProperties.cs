using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing;

namespace Matrix.Unit.Properties;

public class StateResolutionProperties
{
    private static readonly Config Some = Config.QuickThrowOnFailure.WithMaxTest(20).WithQuietOnSuccess(true);

    private static readonly TestUser[] Users =
        [TestUser.Of("@alice:a.example"), TestUser.Of("@bob:b.example"), TestUser.Of("@carol:c.example"), TestUser.Of("@dave:a.example")];

    /// <summary>A room whose branches did all sorts of things to each other; what the rules refuse is simply not done.</summary>
    private static (Room Room, Room[] Branches) Play(string version, int[] steps)
    {
        var room = Room.Version(version).Public().With(Users[0], Users[1], Users[2]);
        var mine = room.RoomVersion.PrivilegedCreators ? Array.Empty<(TestUser, int)>() : [(Users[0], 100)];
        room.Levels(Users[0], [.. mine, (Users[1], 50)]);
        var branches = new List<Room> { room };
        foreach (var step in steps)
        {
            var branch = branches[step % branches.Count];
            var actor = Users[step / 7 % 4];
            var target = Users[step / 31 % 4];
            try
            {
                switch (step / 127 % 11)
                {
                    case 0: branches.Add(branch.Fork()); break;
                    case 1: branch.Merge(branches[step / 3 % branches.Count]); break;
                    case 2: branch.Set(actor, "m.room.topic", $"{{\"topic\":\"{step}\"}}"); break;
                    case 3: branch.Set(actor, EventTypes.JoinRules, $"{{\"join_rule\":\"{(step % 2 == 0 ? "invite" : "public")}\"}}"); break;
                    case 4: branch.Levels(actor, [.. mine, (Users[1], step % 60), (Users[2], step % 100)]); break;
                    case 5: branch.Ban(target, actor); break;
                    case 6: branch.Kick(target, actor); break;
                    case 7: branch.Join(actor); break;
                    case 8: branch.Invite(target, actor); break;
                    case 9: branch.Leave(actor); break;
                    default: branch.Set(actor, EventTypes.Member, $"{{\"membership\":\"join\",\"displayname\":\"{step}\"}}", actor); break;
                }
            }
            catch (InvalidOperationException)
            {
                // Refused by the rules; that branch stays as it was.
            }
        }
        return (room, [.. branches]);
    }

    private static Arbitrary<int[]> Steps => Arb.From(Gen.ArrayOf(Gen.Choose(0, 1_000_000), 40));

    public static TheoryData<string> Versions => ["1", "2", "6", "10", "11", "12"];

    private static string Text(IReadOnlyDictionary<StateKey, string> state) =>
        string.Join('\n', state.Select(p => $"{p.Key} {p.Value}").Order(StringComparer.Ordinal));

    [Theory, MemberData(nameof(Versions))]
    public void The_result_does_not_depend_on_the_order_of_the_states(string version) => Check.One(Some, Prop.ForAll(Steps, steps =>
    {
        var (room, branches) = Play(version, steps);
        var sets = branches.Select(b => (IReadOnlyDictionary<StateKey, string>)b.State).ToArray();
        var expected = Text(StateResolver.Resolve(room.RoomVersion, sets, room.Dag.Find, _ => false));
        var random = new Random(steps[0]);
        for (var i = 0; i < 3; i++)
        {
            random.Shuffle(sets);
            // Same states, but dictionaries with another order inside.
            var shuffled = sets.Select(s => (IReadOnlyDictionary<StateKey, string>)s.OrderBy(_ => random.Next()).ToDictionary()).ToArray();
            if (Text(StateResolver.Resolve(room.RoomVersion, shuffled, room.Dag.Find, _ => false)) != expected) return false.Label(string.Join(',', steps));
        }
        return true.ToProperty();
    }));

    [Theory, MemberData(nameof(Versions))]
    public void Resolving_twice_the_same_state_changes_nothing_and_the_graph_given_apart_gives_the_same(string version) =>
        Check.One(Some, Prop.ForAll(Steps, steps =>
        {
            var (room, branches) = Play(version, steps);
            var sets = branches.Select(b => (IReadOnlyDictionary<StateKey, string>)b.State).ToArray();
            var once = StateResolver.Resolve(room.RoomVersion, sets, room.Dag.Find, _ => false);
            var again = StateResolver.Resolve(room.RoomVersion, [once, once.ToDictionary()], room.Dag.Find, _ => false);
            var apart = StateResolver.Resolve(room.RoomVersion, sets, room.Dag.Find, _ => false, null, id => room.Dag.Find(id)?.AuthEvents);
            return (Text(once) == Text(again) && Text(once) == Text(apart)).Label(string.Join(',', steps));
        }));

    [Theory]
    [InlineData("2")]
    [InlineData("11")]
    [InlineData("12")]
    public void The_full_conflicted_set_is_that_of_the_plain_definition(string version) => Check.One(Some, Prop.ForAll(Steps, steps =>
    {
        var (room, branches) = Play(version, steps);
        return FullConflictedSetIsRight(room, branches).Label(string.Join(',', steps));
    }));

    [Theory]
    [InlineData("11")]
    [InlineData("12")]
    public void What_only_the_unconflicted_state_leads_to_is_no_difference(string version)
    {
        var room = Room.Version(version).Public().With(Users[0]);
        var before = room.Get(EventTypes.PowerLevels)!.EventId;
        var fork = room.Fork().Set(Users[0], "m.room.topic", """{"topic":"cites the first levels"}""");
        room.Set(Users[0], EventTypes.PowerLevels, version == "12" ? """{"ban":60}""" : $$$"""{"ban":60,"users":{"{{{Users[0]}}}":100}}""");
        fork.Merge(room);
        Assert.NotNull(fork.Get("m.room.topic"));
        Assert.True(FullConflictedSetIsRight(room, [room, fork]));
        Assert.DoesNotContain(before, FullConflictedIds(room, [room.State, fork.State]));
    }

    private static bool FullConflictedSetIsRight(Room room, Room[] branches)
    {
        var sets = branches.Select(b => (IReadOnlyDictionary<StateKey, string>)b.State).ToArray();
        HashSet<string> Chain(IEnumerable<string> from)
        {
            var chain = new HashSet<string>();
            var todo = new Stack<string>(from);
            while (todo.TryPop(out var id))
            {
                if (chain.Add(id)) foreach (var auth in room.Dag.Find(id)!.AuthEvents) todo.Push(auth);
            }
            return chain;
        }
        var chains = sets.Select(s => Chain(s.Values)).ToArray();
        var conflicted = sets.SelectMany(s => s).Where(p => !sets.All(s => s.GetValueOrDefault(p.Key) == p.Value)).Select(p => p.Value).ToHashSet();
        var expected = chains.SelectMany(c => c).Where(id => !chains.All(c => c.Contains(id))).Concat(conflicted).ToHashSet();
        if (room.RoomVersion.Resolution == StateResolution.V2_1)
        {
            foreach (var id in Chain(conflicted))
            {
                if (Chain([id]).Overlaps(conflicted)) expected.Add(id);
            }
        }
        return expected.SetEquals(FullConflictedIds(room, sets));
    }

    private static IReadOnlyList<string> FullConflictedIds(Room room, IReadOnlyList<IReadOnlyDictionary<StateKey, string>> sets)
    {
        var split = new SplitStates(sets);
        return new ResolutionV2(room.RoomVersion, split.Conflicts, split, new AuthGraph(room.Dag.Find, null), _ => false, null).FullConflictedIds();
    }

    [Theory, MemberData(nameof(Versions))]
    public void The_resolved_state_has_one_event_of_the_states_for_each_of_its_keys(string version) => Check.One(Some, Prop.ForAll(Steps, steps =>
    {
        var (room, branches) = Play(version, steps);
        var sets = branches.Select(b => (IReadOnlyDictionary<StateKey, string>)b.State).ToArray();
        var resolved = StateResolver.Resolve(room.RoomVersion, sets, room.Dag.Find, _ => false);
        var create = new StateKey(EventTypes.Create, "");
        return resolved[create] == sets[0][create] && resolved.All(p => room.Dag.Find(p.Value)!.StatePair == p.Key);
    }));

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    [InlineData("12")]
    public void Cycles_among_auth_events_end_and_give_one_result(string version)
    {
        var v = RoomVersions.Find(version)!;
        var room = Room.Version(version).Public().With(Users[0], Users[1]);
        string Ids(params string[] ids) => "[" + string.Join(',', ids.Select(i => v.ReferencesHaveHashes ? $"[\"{i}\",{{}}]" : $"\"{i}\"")) + "]";
        Pdu Forge(string id, string type, string content, params string[] auth) => Pdu.ReadTrusted(
            CanonicalJson.Of(Encoding.UTF8.GetBytes(
                $"{{\"auth_events\":{Ids(auth)},\"content\":{content},\"depth\":9,\"origin_server_ts\":5,\"prev_events\":[],\"room_id\":\"{room.RoomId}\",\"sender\":\"{Users[0]}\",\"state_key\":\"\",\"type\":\"{type}\"}}")),
            v, id);
        var create = room.State[new StateKey(EventTypes.Create, "")];
        var member = room.State[new StateKey(EventTypes.Member, Users[0])];
        var levels = $"{{\"users\":{{\"{(v.PrivilegedCreators ? Users[1] : Users[0])}\":100}}}}";
        var events = new[]
        {
            Forge("$p1:x", EventTypes.PowerLevels, levels, create, member, "$p2:x"),
            Forge("$p2:x", EventTypes.PowerLevels, levels, create, member, "$p3:x"),
            Forge("$p3:x", EventTypes.PowerLevels, levels, create, member, "$p1:x", "$p3:x"),
            Forge("$t1:x", "m.room.topic", "{}", create, member, "$p1:x"),
            Forge("$t2:x", "m.room.topic", "{}", create, member, "$p2:x"),
        }.ToDictionary(e => e.EventId);
        Pdu? Find(string id) => events.GetValueOrDefault(id) ?? room.Dag.Find(id);
        IReadOnlyDictionary<StateKey, string> With(string power, string topic) =>
            room.State.SetItem(new StateKey(EventTypes.PowerLevels, ""), power).SetItem(new StateKey("m.room.topic", ""), topic);
        IReadOnlyDictionary<StateKey, string>[] sets = [With("$p1:x", "$t1:x"), With("$p2:x", "$t2:x"), With("$p3:x", "$t1:x")];
        var results = new[] { sets, [sets[2], sets[0], sets[1]], [sets[1], sets[2], sets[0]] }
            .Select(s => Text(StateResolver.Resolve(v, s, Find, _ => false))).Distinct();
        Assert.Single(results);
    }

    [Theory, MemberData(nameof(Versions))]
    public void Events_that_nobody_knows_are_left_out(string version)
    {
        var room = Room.Version(version).Public().With(Users[0], Users[1]);
        var a = room.State.SetItem(new StateKey("m.room.topic", ""), "$unknown1:x");
        var b = room.State.SetItem(new StateKey("m.room.topic", ""), "$unknown2:x");
        Assert.Equal(Text(room.State), Text(StateResolver.Resolve(room.RoomVersion, [a, b], room.Dag.Find, _ => false)));
    }
}
