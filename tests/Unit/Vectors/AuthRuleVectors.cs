using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;

namespace Matrix.Unit.Vectors;

public class AuthRuleVectors
{
    private sealed class Context : IAuthContext
    {
        public IEd25519 Ed25519 => Crypto.Ed25519.Default;
    }

    public static TheoryData<string> CaseNames =>
        [.. Vector.Load("auth-rules.json").GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("name").GetString()!)];

    [Theory, MemberData(nameof(CaseNames))]
    public void Candidates_are_allowed_or_refused_as_stated(string name)
    {
        var c = Vector.Load("auth-rules.json").GetProperty("cases").EnumerateArray().Single(e => e.GetProperty("name").GetString() == name);
        var version = c.Version();
        var state = new MapState(StateOf(c.GetProperty("auth_events"), version));
        foreach (var e in c.GetProperty("allowed").EnumerateArray())
        {
            var verdict = AuthRules.Check(Vector.Event(e, version), state, new Context());
            Assert.True(verdict.Allowed, $"{e.GetRawText()}: {verdict.Reason}");
        }
        foreach (var e in c.GetProperty("not_allowed").EnumerateArray())
        {
            var deviates = e.TryGetProperty("unsigned", out var comment) && comment.TryGetProperty("not_allowed", out var reason)
                && KnownDeviations.AllowedCandidates.Contains(reason.GetString());
            Assert.True(AuthRules.Check(Vector.Event(e, version), state, new Context()).Allowed == deviates, e.GetRawText());
        }
    }

    [Fact]
    public void Auth_events_are_selected_as_stated()
    {
        var cases = Vector.Load("auth-rules.json").GetProperty("auth_event_selection").GetProperty("cases").EnumerateArray().ToArray();
        Assert.Equal(6, cases.Length);
        for (var i = 0; i < cases.Length; i++)
        {
            var e = Assert.Single(cases[i].GetProperty("events").EnumerateArray());
            var expected = new List<StateKey>();
            foreach (var needed in cases[i].GetProperty("needed").EnumerateObject())
            {
                if (needed.Value.ValueKind == JsonValueKind.True) expected.Add(new StateKey("m.room." + needed.Name, ""));
                else foreach (var key in needed.Value.EnumerateArray()) expected.Add(new StateKey("m.room." + needed.Name, key.GetString()!));
            }
            var content = e.TryGetProperty("content", out var json) ? json.Bytes() : "{}"u8.ToArray();
            var actual = AuthRules.SelectKeys(
                e.GetProperty("type").GetString()!, e.TryGetProperty("state_key", out var key2) ? key2.GetString() : null,
                e.TryGetProperty("sender", out var sender) ? sender.GetString()! : "", content, RoomVersions.V1);
            if (i == KnownDeviations.AliasesSelectionCase) Assert.NotEqual(expected.Order(ByText), actual.Order(ByText));
            else Assert.Equal(expected.Order(ByText), actual.Order(ByText));
        }
    }

    private static readonly Comparer<StateKey> ByText = Comparer<StateKey>.Create((a, b) => string.Compare(a.ToString(), b.ToString(), StringComparison.Ordinal));

    private static IEnumerable<Pdu> StateOf(JsonElement authEvents, RoomVersion version)
    {
        foreach (var entry in authEvents.EnumerateObject())
        {
            if (entry.Name is "member" or "third_party_invite")
            {
                foreach (var e in entry.Value.EnumerateObject()) yield return Vector.Event(e.Value, version, e.Name);
            }
            else
            {
                yield return Vector.Event(entry.Value, version, "");
            }
        }
    }
}
