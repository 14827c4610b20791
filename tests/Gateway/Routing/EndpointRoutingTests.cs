using FsCheck;
using FsCheck.Fluent;
using Matrix.Gateway.Routing;
using Xunit;

namespace Matrix.Gateway.Tests.Routing;

public sealed class EndpointRoutingTests
{
    private static RouteMatch RouteOf(string method, string path) => RouteTable.Default.Match(MethodSets.Parse(method), path, "");

    [Fact]
    public void Every_endpoint_goes_where_the_golden_list_says() =>
        Golden.Check("routes.txt", Endpoints.Templates.Select(t =>
        {
            var route = RouteOf(t.Method, Endpoints.Fill(t.Path, p => $"<{p}>"));
            return $"{t.Method,-6} {t.Path}  {route.Class.Name} {route.Class.Service} {route.Key.ToString().ToLowerInvariant()}";
        }).Order(StringComparer.Ordinal));

    [Fact]
    public void No_value_of_a_path_parameter_changes_the_service()
    {
        string[] nasty =
        [
            "members", "state", "send", "messages", "join", "leave", "invite", "kick", "redact", "tags", "account_data", "receipt", "read_markers", "typing", "context",
            "event", "relations", "joined_members", "hierarchy", "threads", "media", "aliases", "rooms", "sync", "initialSync", "upload", "%2Fsend%2F", "..", "sendto", "knock",
        ];
        var cases = Gen.Elements(Endpoints.Templates.Where(t => t.Path.Contains('{')).ToArray())
            .SelectMany(t => Gen.Elements(nasty).ListOf(5).Select(values => (Template: t, Values: values.ToArray())));
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(20_000), Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var (method, template) = c.Template;
            var i = 0;
            var usual = RouteOf(method, Endpoints.Fill(template, p => $"<{p}>"));
            var odd = RouteOf(method, Endpoints.Fill(template, _ => c.Values[i++ % 5]));
            return usual.Class.Service == odd.Class.Service;
        }));
    }

    [Theory]
    [InlineData("PUT", "/_matrix/client/v3/rooms/!r/state/org.example/members")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/!r/send/m.room.message/messages")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/!r/redact/$e/state")]
    [InlineData("POST", "/_matrix/client/v3/createRoom")]
    [InlineData("POST", "/_matrix/client/v3/join/%23account_data:example.org")]
    [InlineData("POST", "/_matrix/client/v3/knock/tags")]
    [InlineData("POST", "/_matrix/client/v3/rooms/!r/upgrade")]
    [InlineData("POST", "/_matrix/client/v3/rooms/!r/invite")]
    [InlineData("POST", "/_matrix/client/v1/delayed_events/1/send")]
    public void What_creates_events_goes_to_the_event_persister(string method, string path) =>
        Assert.Equal("eventpersister", RouteOf(method, path).Class.Service);

    [Theory]
    [InlineData("/_matrix/client/v3/nothing")]
    [InlineData("/_matrix/client/V3/sync")]
    [InlineData("/_MATRIX/client/v3/sync")]
    [InlineData("//_matrix/client/v3/sync")]
    [InlineData("/_matrix/client/v3/sync/")]
    [InlineData("/_matrix/client/v3/rooms/a%2Fsend%2Fb")]
    public void What_matches_no_row_goes_to_the_client_API(string path)
    {
        Assert.Null(RouteTable.Default.FindRow(MethodSet.Get, path));
        Assert.Equal(new RouteMatch(RouteClass.Client, AffinityKind.None), RouteOf("GET", path));
        Assert.Equal("clientapi", RouteClass.Client.Service);
    }

    [Theory]
    [InlineData("", "initial_sync")]
    [InlineData("timeout=30000", "initial_sync")]
    [InlineData("since=", "initial_sync")]
    [InlineData("asince=s1&since2=s", "initial_sync")]
    [InlineData("since=s1", "sync")]
    [InlineData("timeout=0&since=s1_2&filter=0", "sync")]
    public void A_sync_without_since_is_an_initial_sync(string query, string expected) =>
        Assert.Equal(expected, RouteTable.Default.Match(MethodSet.Get, "/_matrix/client/v3/sync", query).Class.Name);
}
