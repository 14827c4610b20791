using System.Text;
using Matrix.Primitives;

namespace Matrix.Unit.Events;

public class CanonicalJsonTests
{
    private static CanonicalJsonFault Fault(string json, bool strict = true)
    {
        CanonicalJson.ToArray(Encoding.UTF8.GetBytes(json), out var fault, strict);
        return fault;
    }

    private static string Text(string json, bool strict = true) => Encoding.UTF8.GetString(CanonicalJson.ToArray(Encoding.UTF8.GetBytes(json), out _, strict)!);

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("{")]
    [InlineData("{}}")]
    [InlineData("{\"a\"}")]
    [InlineData("{\"a\":}")]
    [InlineData("{\"a\":1,}")]
    [InlineData("[1,]")]
    [InlineData("[1 2]")]
    [InlineData("{a:1}")]
    [InlineData("\"a")]
    [InlineData("\"a\nb\"")]
    [InlineData("\"\\x\"")]
    [InlineData("\"\\u12\"")]
    [InlineData("\"\\u12g4\"")]
    [InlineData("tru")]
    [InlineData("nulll")]
    [InlineData("01")]
    [InlineData("-")]
    [InlineData("+1")]
    [InlineData("1.")]
    [InlineData("1e")]
    [InlineData(".5")]
    [InlineData("NaN")]
    [InlineData("// x\n1")]
    [InlineData("\uFEFF{}")]
    public void What_is_no_json_is_a_fault(string json)
    {
        Assert.Equal(CanonicalJsonFault.NotJson, Fault(json));
        Assert.Equal(CanonicalJsonFault.NotJson, Fault(json, strict: false));
    }

    [Fact]
    public void Invalid_utf8_is_no_json() =>
        Assert.Equal(CanonicalJsonFault.NotJson, CanonicalJson.TryWrite([(byte)'"', 0xC3, 0x28, (byte)'"'], new PooledBuffer()));

    [Theory]
    [InlineData("{\"a\":1,\"a\":1}")]
    [InlineData("{\"b\":0,\"a\":1,\"b\":1}")]
    [InlineData("{\"a\":1,\"\\u0061\":2}")]
    [InlineData("[{\"x\":{\"z\":1,\"y\":2,\"z\":3}}]")]
    [InlineData("{\"\\n\":1,\"\\u000a\":2}")]
    public void A_name_given_twice_is_a_fault_always(string json)
    {
        Assert.Equal(CanonicalJsonFault.DuplicateKey, Fault(json));
        Assert.Equal(CanonicalJsonFault.DuplicateKey, Fault(json, strict: false));
    }

    [Theory]
    [InlineData("\"\\ud800\"")]
    [InlineData("\"\\udc00\"")]
    [InlineData("\"\\ud800x\"")]
    [InlineData("\"\\ud800\\n\"")]
    [InlineData("\"\\ud800\\ud800\"")]
    [InlineData("{\"\\udfff\":1}")]
    public void Half_a_surrogate_pair_is_a_fault(string json) => Assert.Equal(CanonicalJsonFault.LoneSurrogate, Fault(json, strict: false));

    [Fact]
    public void Nesting_ends_at_the_limit()
    {
        Assert.Equal(CanonicalJsonFault.None, Fault(new string('[', 100) + new string(']', 100)));
        Assert.Equal(CanonicalJsonFault.TooDeep, Fault(new string('[', 101) + new string(']', 101)));
        Assert.Equal(CanonicalJsonFault.TooDeep, Fault(string.Concat(Enumerable.Repeat("{\"a\":", 100_000))));
    }

    [Theory]
    [InlineData("9007199254740991", CanonicalJsonFault.None)]
    [InlineData("-9007199254740991", CanonicalJsonFault.None)]
    [InlineData("9007199254740992", CanonicalJsonFault.IntegerOutOfRange)]
    [InlineData("-9007199254740992", CanonicalJsonFault.IntegerOutOfRange)]
    [InlineData("99999999999999999999999999999999", CanonicalJsonFault.IntegerOutOfRange)]
    [InlineData("1.0", CanonicalJsonFault.NotAnInteger)]
    [InlineData("1e3", CanonicalJsonFault.NotAnInteger)]
    [InlineData("-0", CanonicalJsonFault.NotAnInteger)]
    [InlineData("0", CanonicalJsonFault.None)]
    public void Strict_numbers_are_integers_in_range(string json, CanonicalJsonFault fault) => Assert.Equal(fault, Fault(json));

    [Theory]
    [InlineData("1.10", "1.10")]
    [InlineData("1E2", "100")]
    [InlineData("-1.5e1", "-15")]
    [InlineData("1e-5", "1e-5")]
    [InlineData("1e+16", "1e+16")]
    [InlineData("1e999", "1e999")]
    [InlineData("123456789012345678901234567890", "123456789012345678901234567890")]
    public void Tolerant_numbers_stay_but_for_exponents_that_give_an_integer(string json, string expected) => Assert.Equal(expected, Text(json, strict: false));

    [Fact]
    public void Exponents_may_make_the_text_longer_than_its_source()
    {
        var json = "[" + string.Join(',', Enumerable.Repeat("1e15", 5000)) + "]";
        Assert.Equal("[" + string.Join(',', Enumerable.Repeat("1000000000000000", 5000)) + "]", Text(json, strict: false));
    }

    [Fact]
    public void Names_with_escapes_are_ordered_by_what_they_mean()
    {
        // The escape of a line feed begins with a backslash (5C), the line feed itself (0A) comes before every letter.
        Assert.Equal("""{"\n":1,"!":2,"\"":3,"A":4,"\\":5,"a":6}""", Text("""{"a":6,"\\":5,"A":4,"\"":3,"!":2,"\n":1}"""));
    }

    [Fact]
    public void Unsorted_objects_inside_unsorted_objects_come_out_sorted() =>
        Assert.Equal("""{"a":[{"x":1,"y":[{"k":1,"l":2}]}],"b":{"c":{"a":1,"b":2},"d":0}}""",
            Text("""{"b":{"d":0,"c":{"b":2,"a":1}},"a":[{"y":[{"l":2,"k":1}],"x":1}]}"""));

    [Fact]
    public void Nothing_is_written_for_a_fault()
    {
        using var buffer = new PooledBuffer();
        CanonicalJson.TryWrite("{\"a\":1,\"a\":2}"u8, buffer);
        Assert.Equal(0, buffer.Length);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("")]
    [InlineData("quote \" back \\ slash / line \n tab \t bell \u0007 del \u007f")]
    [InlineData("日本 😀")]
    public void Strings_are_written_as_they_are_canonicalised(string text)
    {
        using var buffer = new PooledBuffer(1);
        CanonicalJson.WriteString(buffer, text);
        Assert.Equal(Text(System.Text.Json.JsonSerializer.Serialize(text)), Encoding.UTF8.GetString(buffer.Written));
        Assert.Equal(text, CanonicalValue.String(buffer.Written));
    }
}
