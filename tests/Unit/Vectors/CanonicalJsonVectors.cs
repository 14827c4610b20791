using System.Text;
using Matrix.Primitives;

namespace Matrix.Unit.Vectors;

public class CanonicalJsonVectors
{
    private static string? Write(byte[] json, bool strict, out CanonicalJsonFault fault) =>
        CanonicalJson.ToArray(json, out fault, strict) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    [Fact]
    public void The_examples_of_the_appendix_come_out_as_written()
    {
        var cases = Vector.Load("canonical-json.json").GetProperty("cases").EnumerateArray().ToArray();
        Assert.Equal(10, cases.Length);
        foreach (var c in cases)
        {
            var actual = Write(c.GetProperty("input_json_text").Utf8(), strict: false, out _);
            Assert.Equal(c.GetProperty("canonical").GetString(), actual);
            Assert.Equal(c.GetProperty("canonical_utf8_hex").GetString(), Convert.ToHexStringLower(Encoding.UTF8.GetBytes(actual!)));
        }
    }

    [Theory]
    [InlineData("compact", 23)]
    [InlineData("sort", 11)]
    public void Escapes_and_order_follow_the_shared_cases(string section, int count)
    {
        var cases = Vector.Load("canonical-json-extra.json").GetProperty(section).EnumerateArray().ToArray();
        Assert.Equal(count, cases.Length);
        foreach (var c in cases) Assert.Equal(c.GetProperty("expected").GetString(), Write(c.GetProperty("input").Utf8(), strict: true, out _));
    }

    [Fact]
    public void Numbers_are_checked_from_room_version_6_on_only()
    {
        foreach (var c in Vector.Load("canonical-json-extra.json").GetProperty("validity").EnumerateArray())
        {
            var input = c.GetProperty("input").Utf8();
            Assert.Equal(c.GetProperty("valid_room_v6_plus").GetBoolean(), Write(input, strict: true, out _) is not null);
            Assert.Equal(c.GetProperty("room_v1_to_v5").GetBoolean(), Write(input, strict: false, out _) is not null);
        }
    }

    [Fact]
    public void Names_are_ordered_by_code_point()
    {
        foreach (var c in Vector.Load("canonical-json-extra.json").GetProperty("computed_by_us").GetProperty("cases").EnumerateArray())
            Assert.Equal(c.GetProperty("expected").GetString(), Write(c.GetProperty("input").Utf8(), strict: true, out _));
    }

    [Fact]
    public void Unpadded_base64_encodes_and_decodes_the_shared_cases()
    {
        var root = Vector.Load("unpadded-base64.json");
        foreach (var c in root.GetProperty("encode").EnumerateArray())
        {
            Assert.Equal(c.GetProperty("base64").GetString(), UnpaddedBase64.Encode(c.GetProperty("utf8").Utf8()));
            Assert.Equal(c.GetProperty("utf8").Utf8(), c.GetProperty("base64").Base64());
        }
        foreach (var c in root.GetProperty("extra").GetProperty("decode_both").EnumerateArray())
        {
            var bytes = Convert.FromHexString(c.GetProperty("bytes_hex").GetString()!);
            Assert.Equal(bytes, c.GetProperty("standard").Base64());
            Assert.True(UnpaddedBase64.TryDecodeUrl(c.GetProperty("urlsafe").GetString()!, out var decoded));
            Assert.Equal(bytes, decoded);
            Assert.Equal(c.GetProperty("standard").GetString(), UnpaddedBase64.Encode(bytes));
            Assert.Equal(c.GetProperty("urlsafe").GetString(), UnpaddedBase64.EncodeUrl(bytes));
        }
    }
}
