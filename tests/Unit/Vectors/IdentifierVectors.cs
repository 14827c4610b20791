using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Unit.Vectors;

public class IdentifierVectors
{
    private static readonly JsonElement Root = Vector.Load("identifiers.json");

    private static string[] Strings(string name) => [.. Root.GetProperty(name).EnumerateArray().Select(e => e.GetString()!)];

    [Fact]
    public void Server_names_of_the_grammar_are_server_names() =>
        Assert.All(Strings("server_name_valid"), name => Assert.True(ServerName.TryParse(name, null, out _), name));

    [Fact]
    public void User_ids_are_told_apart_as_in_the_shared_cases()
    {
        Assert.All(Strings("user_id_valid").Concat(Strings("user_id_valid_historical_only")), id => Assert.True(UserId.TryParse(id, null, out _), id));
        Assert.All(Strings("user_id_invalid"), id => Assert.Equal(id == KnownDeviations.HistoricalUserId, UserId.TryParse(id, null, out _)));
        Assert.True(UserId.TryParse(Root.GetProperty("user_id_empty_localpart").GetProperty("id").GetString(), null, out _));
    }

    [Fact]
    public void Room_ids_are_told_apart_as_in_the_shared_cases()
    {
        Assert.All(Strings("room_id_valid_with_domain"), id => Assert.True(RoomId.TryParse(id, null, out _), id));
        Assert.All(Strings("room_id_invalid"), id => Assert.Equal(KnownDeviations.OpaqueRoomIds.Contains(id), RoomId.TryParse(id, null, out _)));
        Assert.True(RoomId.TryParse(Root.GetProperty("room_id_domainless_v12").GetProperty("example").GetString(), null, out _));
    }

    [Fact]
    public void Event_ids_of_all_formats_are_event_ids() =>
        Assert.All(Root.GetProperty("event_id_formats").EnumerateObject(), p => Assert.True(EventId.TryParse(p.Value.GetString(), null, out _)));

    [Fact]
    public void Property_paths_are_split_and_joined_as_in_the_appendix()
    {
        foreach (var c in Root.GetProperty("dot_separated_paths").EnumerateArray())
        {
            string[] names = [.. c.GetProperty("path").EnumerateArray().Select(e => e.GetString()!)];
            Assert.Equal(names, PropertyPath.Split(c.GetProperty("escaped").GetString()!));
            Assert.Equal(c.GetProperty("escaped").GetString(), PropertyPath.Join(names));
        }
        Assert.Equal(["a\\x", "b"], PropertyPath.Split("a\\x.b"));
    }
}
