using Matrix.Gateway.Routing;
using Matrix.Gateway.Routing.Affinity;
using Xunit;

namespace Matrix.Gateway.Tests.Routing;

public sealed class AffinityKeyTests
{
    // @alice:example.org, and a user whose base64 holds an underscore
    private const string Alice = "syt_QGFsaWNlOmV4YW1wbGUub3Jn_ABCDEFGHIJKLMNOPQRST_0abcde";
    private const string Odd = "syt_QD8_Pz86Yg_ABCDEFGHIJKLMNOPQRST_0abcde";

    private static string? Key(AffinityKind kind, string target, string? authorization = null, string? address = null)
    {
        RawQuery.Split(target, out var path, out var query);
        return AffinityKey.Text(kind, new RequestFacts(path, query, authorization, address));
    }

    [Theory]
    [InlineData("Bearer " + Alice, "/", "@alice:example.org")]
    [InlineData("bearer  " + Alice, "/", "@alice:example.org")]
    [InlineData(null, "/?access_token=" + Alice, "@alice:example.org")]
    [InlineData(null, "/?since=1&access_token=" + Alice + "&x=1", "@alice:example.org")]
    [InlineData("Bearer " + Odd, "/", "@????:b")]
    [InlineData("Bearer as_secret", "/?user_id=%40bridge_bob%3Aexample.org", "@bridge_bob:example.org")]
    public void The_user_is_read_from_the_token(string? authorization, string target, string expected) =>
        Assert.Equal(expected, Key(AffinityKind.User, target, authorization));

    [Theory]
    [InlineData("Bearer secret")]
    [InlineData("Bearer syt_")]
    [InlineData("Bearer syt__x_y")]
    [InlineData("Bearer syt_!!!!_x_y")]
    [InlineData("Bearer syt_AAAA_x_y")]
    [InlineData("Bearer syt_QGFsaWNl")]
    public void Any_other_token_counts_by_its_hash(string authorization)
    {
        var key = Key(AffinityKind.User, "/", authorization);
        Assert.Matches("^token:[0-9a-f]{16}$", key);
        Assert.Equal(key, Key(AffinityKind.User, "/x?user_id=nobody", authorization));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Basic QTpC")]
    [InlineData("Bearer ")]
    public void Without_a_token_there_is_no_user_key(string? authorization) => Assert.Null(Key(AffinityKind.User, "/", authorization));

    [Theory]
    [InlineData("/_matrix/client/v3/rooms/!abc:example.org/send/m.room.message/1", "!abc:example.org")]
    [InlineData("/_matrix/client/v3/rooms/%21abc%3Aexample.org/messages?dir=b", "!abc:example.org")]
    [InlineData("/_matrix/client/v3/rooms/!a%2Fb%252F..%3F%23%F0%9F%98%80:X/leave", "!a/b%2F..?#😀:X")]
    [InlineData("/_matrix/client/v3/join/%23room:example.org", "#room:example.org")]
    [InlineData("/_matrix/client/v3/knock/!r", "!r")]
    [InlineData("/_matrix/client/v3/rooms/%FF%FE/leave", null)]
    [InlineData("/_matrix/client/v3/rooms/%2/leave", null)]
    [InlineData("/_matrix/client/v3/rooms/%zz/leave", null)]
    [InlineData("/_matrix/client/v3/createRoom", null)]
    [InlineData("/_matrix/client/v3/rooms//leave", null)]
    public void The_room_is_read_from_the_path_and_decoded_once(string target, string? expected) => Assert.Equal(expected, Key(AffinityKind.Room, target));

    [Theory]
    [InlineData("X-Matrix origin=\"a.example\",destination=\"b\",key=\"ed25519:1\",sig=\"x\"", "a.example")]
    [InlineData("X-Matrix origin=a.example,key=\"ed25519:1\",sig=\"x\"", "a.example")]
    [InlineData("x-matrix key=\"ed25519:1\", sig=\"a=,b\" , Origin=\"a.example:8448\"", "a.example:8448")]
    [InlineData("X-Matrix key=\"1\"", null)]
    [InlineData("X-Matrixorigin=a", null)]
    [InlineData("X-Matrix origin", null)]
    [InlineData("Bearer origin=a", null)]
    [InlineData(null, null)]
    public void The_origin_is_read_from_the_signature_header(string? authorization, string? expected) => Assert.Equal(expected, Key(AffinityKind.Origin, "/", authorization));

    [Fact]
    public void Overlong_ids_have_no_key() => Assert.Null(Key(AffinityKind.Room, "/rooms/" + new string('x', 600)));

    [Fact]
    public void The_address_is_the_key_of_login() => Assert.Equal("::1", Key(AffinityKind.Address, "/", null, "::1"));
}
