using System.Text.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>No endpoint that reads shows an event which the room's history hides. A new endpoint must be named here.</summary>
public sealed class HiddenEventTests(SearchFixture api) : IClassFixture<SearchFixture>
{
    private const string Secret = "okapi";

    /// <summary>What is asked, by path: ROOM, HIDDEN (the event that may not be seen), SHOWN (one that may), THEN (a time before both).</summary>
    private static readonly Dictionary<string, string[]> Questions = new()
    {
        ["/rooms/{roomId}/messages"] = ["?dir=b&limit=100", "?dir=f&limit=100"],
        ["/rooms/{roomId}/event/{eventId}"] = ["HIDDEN", "SHOWN"],
        ["/rooms/{roomId}/context/{eventId}"] = ["HIDDEN", "SHOWN?limit=100"],
        ["/rooms/{roomId}/initialSync"] = ["?limit=100"],
        ["/rooms/{roomId}/relations/{eventId}"] = ["HIDDEN", "SHOWN?recurse=true"],
        ["/rooms/{roomId}/relations/{eventId}/{relType}"] = ["HIDDEN/m.thread", "SHOWN/m.reference"],
        ["/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}"] = ["SHOWN/m.reference/m.room.message"],
        ["/rooms/{roomId}/threads"] = [""],
        ["/rooms/{roomId}/timestamp_to_event"] = ["?ts=THEN&dir=f", "?ts=99999999999999&dir=b"],
    };

    /// <summary>Show current state, or what is the user's own.</summary>
    private static readonly string[] NoHistory =
    [
        "/rooms/{roomId}/state", "/rooms/{roomId}/state/{eventType}", "/rooms/{roomId}/state/{eventType}/{stateKey}", "/rooms/{roomId}/members", "/rooms/{roomId}/joined_members",
        "/rooms/{roomId}/aliases", "/rooms/{roomId}/hierarchy", "/user/{userId}/rooms/{roomId}/account_data/{type}", "/user/{userId}/rooms/{roomId}/tags",
        "/directory/list/room/{roomId}", "/room_keys/keys/{roomId}", "/room_keys/keys/{roomId}/{sessionId}",
    ];

    [Fact]
    public void Every_route_that_reads_of_a_room_is_asked_below()
    {
        var paths = api.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).Select(e => e.Metadata.GetMetadata<MatrixRoute>()).OfType<MatrixRoute>()
            .Where(r => r.Method == "GET" && r.Path.Contains("{roomId}", StringComparison.Ordinal) && r.Path.StartsWith("/_matrix/client/", StringComparison.Ordinal))
            .Select(r => r.Path[r.Path.IndexOf('/', "/_matrix/client/".Length)..]).Where(p => !p.StartsWith("/v1/", StringComparison.Ordinal)).Distinct();
        Assert.Equal(Questions.Keys.Concat(NoHistory).Order(StringComparer.Ordinal), paths.Order(StringComparer.Ordinal));
    }

    private static IEnumerable<string> Urls(string room, string hidden, string shown)
    {
        foreach (var (path, questions) in Questions)
            foreach (var question in questions)
            {
                var version = path is "/rooms/{roomId}/threads" or "/rooms/{roomId}/timestamp_to_event" || path.Contains("/relations/", StringComparison.Ordinal) ? "v1" : "v3";
                var head = path.Contains("{eventId}", StringComparison.Ordinal) ? path[..path.IndexOf("{eventId}", StringComparison.Ordinal)] : path;
                yield return $"/_matrix/client/{version}{head.Replace("{roomId}", Uri.EscapeDataString(room), StringComparison.Ordinal)}"
                    + question.Replace("HIDDEN", hidden, StringComparison.Ordinal).Replace("SHOWN", shown, StringComparison.Ordinal).Replace("THEN", "1", StringComparison.Ordinal);
            }
    }

    private async Task<string> RelateAsync(TestUser user, string room, string relType, string parent, string body) => (await api.PutAsync(
        user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/{Guid.NewGuid():N}", JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["body"] = body, ["m.new_content"] = new { body }, ["m.relates_to"] = new { rel_type = relType, event_id = parent },
        }))).RequireOk().Text("event_id");

    [Fact]
    public async Task What_an_erased_user_said_is_shown_to_nobody_who_came_later_and_to_everybody_who_was_there()
    {
        var (alice, bob, carol) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(carol);
        await api.JoinAsync(alice, room);
        var said = await api.SayAsync(alice, room, Secret + " said");
        await RelateAsync(alice, room, "m.thread", said, Secret + " child");
        await RelateAsync(alice, room, "m.replace", said, Secret + " edited");
        await api.JoinAsync(bob, room);
        var shown = await api.SayAsync(carol, room, "hello");
        await api.IndexedAsync();
        const string Search = "/_matrix/client/v3/search";
        async Task<List<(string Url, string Text)>> ReadAsync(TestUser user)
        {
            var texts = new List<(string, string)>();
            foreach (var url in Urls(room, said, shown)) texts.Add((url, (await api.GetAsync(user, url)).Body.GetRawText()));
            foreach (var word in new[] { Secret, "hello" })
                texts.Add((Search, (await api.PostAsync(user, Search, new { search_categories = new { room_events = new { search_term = word, event_context = new { } } } })).RequireOk().Body.GetRawText()));
            return texts;
        }
        static bool Tells(string text) => text.Contains(Secret + " ", StringComparison.Ordinal);

        var before = (await ReadAsync(bob)).Where(a => Tells(a.Text)).Select(a => a.Url).ToList();
        Assert.Contains(Search, before);
        Assert.InRange(before.Count, 8, 100);
        (await api.PostAsync(alice, "/_matrix/client/v3/account/deactivate", new
        {
            erase = true, auth = new { type = "m.login.password", identifier = new { type = "m.id.user", user = alice.Id }, password = alice.Password },
        })).RequireOk();
        foreach (var (url, text) in await ReadAsync(bob)) Assert.False(Tells(text), $"{url}: {text}");
        Assert.Equal(before, (await ReadAsync(carol)).Where(a => Tells(a.Text)).Select(a => a.Url));
        // He sees that something was said.
        var seen = (await api.GetAsync(bob, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/event/{said}")).RequireOk().Body;
        Assert.Equal(("{}", alice.Id), (seen.GetProperty("content").GetRawText(), seen.GetProperty("sender").GetString()));
    }

    [Theory]
    [InlineData("joined", false)]
    [InlineData("invited", false)]
    [InlineData("shared", true)]
    public async Task Nothing_shows_what_was_said_before_a_user_came_unless_it_is_shared(string visibility, bool shows)
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new
        {
            preset = "public_chat", initial_state = new[] { new { type = "m.room.history_visibility", content = new { history_visibility = visibility } } },
        });
        var hidden = await api.SayAsync(alice, room, Secret + " before");
        var child = await RelateAsync(alice, room, "m.thread", hidden, Secret + " child");
        await api.JoinAsync(bob, room);
        var shown = await api.SayAsync(alice, room, "hello");
        await RelateAsync(alice, room, "m.reference", shown, "seen");
        await api.IndexedAsync();

        var seen = false;
        foreach (var url in Urls(room, hidden, shown))
        {
            var text = (await api.GetAsync(bob, url)).Body.GetRawText();
            if (shows) { seen |= text.Contains(Secret, StringComparison.Ordinal); continue; }
            Assert.False(text.Contains(Secret, StringComparison.Ordinal) || text.Contains(child, StringComparison.Ordinal), $"{url}: {text}");
            Assert.False(text.Contains(hidden, StringComparison.Ordinal), $"{url}: {text}");
        }
        Assert.Equal(shows, seen);
        var found = (await api.PostAsync(bob, "/_matrix/client/v3/search", new { search_categories = new { room_events = new { search_term = Secret, event_context = new { } } } })).RequireOk();
        Assert.Equal(shows, found.Body.GetRawText().Contains(Secret + " ", StringComparison.Ordinal));
        var around = (await api.PostAsync(bob, "/_matrix/client/v3/search", new { search_categories = new { room_events = new { search_term = "hello", event_context = new { } } } })).RequireOk();
        Assert.Equal(shows, around.Body.GetRawText().Contains(Secret, StringComparison.Ordinal));
    }
}
