using System.Text;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Unit.Events;

/// <summary>Signatures that are added to what was signed before.</summary>
public sealed class SignedJsonTests
{
    private static string Write(string canonical, string unsigned, params JsonSignature[] further)
    {
        using var output = new PooledBuffer();
        SignedJson.Write(output, Encoding.UTF8.GetBytes(canonical), further, Encoding.UTF8.GetBytes(unsigned));
        return Encoding.UTF8.GetString(output.Written);
    }

    [Theory]
    [InlineData("""{"a":1}""", """{"a":1,"signatures":{"@u:x":{"k":"new"}}}""")]
    [InlineData("""{"a":1,"signatures":{}}""", """{"a":1,"signatures":{"@u:x":{"k":"new"}}}""")]
    [InlineData("""{"a":1,"signatures":{"@u:x":{"k":"old","l":"kept"}}}""", """{"a":1,"signatures":{"@u:x":{"l":"kept","k":"new"}}}""")]
    [InlineData("""{"a":1,"signatures":{"@v:x":{"k":"theirs"}}}""", """{"a":1,"signatures":{"@v:x":{"k":"theirs"},"@u:x":{"k":"new"}}}""")]
    [InlineData("""{"a":1,"signatures":{"@u:x":{"k":"old"},"@v:x":{"k":"theirs"}},"unsigned":{"b":1}}""", """{"a":1,"signatures":{"@u:x":{"k":"new"},"@v:x":{"k":"theirs"}}}""")]
    public void A_signature_takes_the_place_of_the_one_of_its_key(string before, string after) => Assert.Equal(after, Write(before, "", new JsonSignature("@u:x", "k", "new")));

    [Fact]
    public void Several_signatures_of_several_signers_are_sorted_to_them_and_the_last_of_a_key_counts() => Assert.Equal(
        """{"signatures":{"@u:x":{"k":"1","l":"3"},"@v:x":{"k":"5"}},"unsigned":{"n":2}}""",
        Write("{}", """{"n":2}""", new("@u:x", "k", "1"), new("@v:x", "k", "4"), new("@u:x", "l", "3"), new("@v:x", "k", "5")));

    [Fact]
    public void Names_with_escapes_and_letters_beyond_ascii_are_told_apart()
    {
        Assert.Equal("""{"signatures":{"@é\"\\:x":{"k":"new"},"@é:x":{"k":"old"}}}""",
            Write("""{"signatures":{"@é\"\\:x":{"k":"old"},"@é:x":{"k":"old"}}}""", "", new JsonSignature("@é\"\\:x", "k", "new")));
    }

    [Fact]
    public void Nothing_to_add_changes_nothing_but_unsigned() =>
        Assert.Equal("""{"signatures":{"@u:x":{"k":"old"}},"unsigned":{}}""", Write("""{"signatures":{"@u:x":{"k":"old"}},"unsigned":{"x":1}}""", "{}"));
}
