using FsCheck;
using FsCheck.Fluent;
using Matrix.Primitives;
using Xunit;

namespace Matrix.Unit.Primitives;

public class StreamTokenTests
{
    private static readonly Arbitrary<StreamToken> Tokens = Gen.Zip(Gen.Choose(0, 25), Gen.Elements(long.MinValue, -1L, 0L, 1L, 72594L, long.MaxValue))
        .ListOf()
        .Select(pairs => pairs.Aggregate(StreamToken.Empty, (t, p) => t.With((char)('a' + p.Item1), p.Item2)))
        .ToArbitrary();

    [Fact]
    public void A_token_read_back_is_the_same_token() =>
        Prop.ForAll(Tokens, t => StreamToken.Parse(t.ToString()).Equals(t) && StreamToken.Parse(t.ToString()).ToString() == t.ToString())
            .QuickCheckThrowOnFailure();

    [Fact]
    public void Its_text_is_pinned() =>
        Assert.Equal("s1_a12e72594r4483", StreamToken.Of(('e', 72594), ('r', 4483), ('a', 12), ('p', null)).ToString());

    [Fact]
    public void A_stream_that_the_token_lacks_is_null()
    {
        var token = StreamToken.Parse("s1_e5");
        Assert.Equal(5, token.Events);
        Assert.Null(token.Receipts);
    }

    [Fact]
    public void Letters_of_a_later_release_are_kept() => Assert.Equal("s1_e5z9", StreamToken.Parse("s1_z9e5").ToString());

    [Fact]
    public void Before_an_event_means_after_the_one_in_front_of_it()
    {
        Assert.Equal("s1_e41", StreamToken.Before(42).ToString());
        Assert.Equal("s1_e-1", StreamToken.Before(0).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("s2_e5")]
    [InlineData("s1_5")]
    [InlineData("s1_e")]
    [InlineData("s1_e-")]
    [InlineData("s1_e5 ")]
    [InlineData("s1_e+5")]
    [InlineData("s1_e5e6")]
    [InlineData("s1_E5")]
    [InlineData("s1_e99999999999999999999")]
    [InlineData("s72594_4483_1934")]
    public void Anything_else_is_refused(string text)
    {
        Assert.False(StreamToken.TryParse(text, null, out _));
        var error = Assert.Throws<MatrixException>(() => StreamToken.FromClient(text, "since")).Error;
        Assert.Equal(("M_INVALID_PARAM", 400), (error.Code, error.Status));
    }
}
