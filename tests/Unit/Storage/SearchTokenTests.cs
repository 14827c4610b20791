using Matrix.Storage.Search;

namespace Matrix.Unit.Storage;

public sealed class SearchTokenTests
{
    [Theory]
    [InlineData("Hello, World 42", "'hello':1 'world':2 '42':3 ")]
    [InlineData("it's C++", "'it':1 's':2 'c':3 ")]
    [InlineData("東京都", "'東京':1 '京都':2 '都':3 ")]
    [InlineData("go東京", "'go':1 '東京':2 '京':3 ")]
    [InlineData("𠀀𠀁", "'𠀀𠀁':1 '𠀁':2 ")]
    [InlineData("👍 ok", "'👍':1 'ok':2 ")]
    [InlineData("\ud800 x\0\\'", "'x':1 ")]
    [InlineData("...", "")]
    public void Text_is_cut_into_words_and_pairs(string text, string vector) => Assert.Equal(vector, SearchTokens.ToVector(text));

    [Theory]
    [InlineData("Cats dog", "'cats':* & 'dog':*")]
    [InlineData("\"cats and\" dog", "('cats' <-> 'and') & 'dog':*")]
    [InlineData("cats -dog", "'cats':* & !'dog'")]
    [InlineData("京", "'京':*")]
    [InlineData("東京都", "('東京' <-> '京都')")]
    [InlineData("\"unfinished dog", "'unfinished':* & 'dog':*")]
    [InlineData("-dog", null)]
    [InlineData("' & ! |", null)]
    public void A_term_becomes_a_query_that_cannot_be_malformed(string term, string? query) => Assert.Equal(query, SearchTokens.Parse(term)?.Text);

    [Fact]
    public void No_text_makes_more_tokens_than_a_row_should_have()
    {
        var vector = SearchTokens.ToVector(string.Concat(Enumerable.Repeat("字 ", 20_000)));
        Assert.Equal(4_000, vector.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
    }
}
