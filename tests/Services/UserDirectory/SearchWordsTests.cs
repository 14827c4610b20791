using Matrix.UserDirectory.Index;

namespace Matrix.ServiceTests.UserDirectory;

public class SearchWordsTests
{
    [Theory]
    [InlineData("@alice.smith_7:example.org", "Alice SMITH", "7 alice smith")]
    [InlineData("@a:x", "Jörg Ω", "a jörg ω")]
    [InlineData("@a:x", null, "a")]
    [InlineData("@a:x", "  --  ", "a")]
    [InlineData("@a:x", "田中", "a 中 田中")]
    public void Names_are_cut_into_words(string user, string? name, string words) => Assert.Equal(words, SearchWords.Of(user, name));

    [Theory]
    [InlineData("Al Sm", "'al':* & 'sm':*")]
    [InlineData("@alice:example.org", "'alice':*")]
    [InlineData("it's a \\ test", "'it':* & 's':* & 'a':* & 'test':*")]
    [InlineData(" ! ", null)]
    public void A_term_becomes_a_query_of_word_beginnings(string term, string? query) => Assert.Equal(query, SearchWords.Query(term));
}
