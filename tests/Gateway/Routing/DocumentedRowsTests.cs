using Matrix.Gateway.Routing;
using Xunit;

namespace Matrix.Gateway.Tests.Routing;

public sealed class DocumentedRowsTests
{
    private static IEnumerable<string> PatternsFrom(RowSource source) => RouteTable.Default.Rows.Where(r => r.Source == source).Select(r => r.Pattern);

    [Fact]
    public void The_lists_are_whole()
    {
        Assert.Equal(86, DocumentedPatterns.Of2022.Count);
        Assert.Equal(114, DocumentedPatterns.Newest.Count);
    }

    [Fact]
    public void Every_pattern_of_2022_is_a_row_verbatim_and_in_order() =>
        Assert.Equal(DocumentedPatterns.Of2022, PatternsFrom(RowSource.Page2022));

    [Fact]
    public void Every_pattern_that_only_the_newest_page_has_is_a_row_verbatim_and_in_order() =>
        Assert.Equal(
            DocumentedPatterns.Newest.Where(p => !DocumentedPatterns.Of2022.Contains(p)),
            // Push rules stand on both pages, for reading on the older and for writing on the newer.
            PatternsFrom(RowSource.PageNewest).Where(p => !p.EndsWith("/pushrules/", StringComparison.Ordinal)));

    [Fact]
    public void Every_pattern_of_the_newest_page_is_a_row() =>
        Assert.Empty(DocumentedPatterns.Newest.Except(RouteTable.Default.Rows.Select(r => r.Pattern)));

    [Fact]
    public void Documented_rows_stand_together_the_older_page_first()
    {
        var sources = RouteTable.Default.Rows.Select(r => r.Source).ToList();
        Assert.Equal(86, sources.LastIndexOf(RowSource.Page2022) - sources.IndexOf(RowSource.Page2022) + 1);
        Assert.Equal(sources.LastIndexOf(RowSource.Page2022) + 1, sources.IndexOf(RowSource.PageNewest));
    }

    [Fact]
    public void Rows_of_one_pattern_agree_on_class_and_key_wherever_they_stand()
    {
        foreach (var same in RouteTable.Default.Rows.Where(r => r.Methods == MethodSet.Any).GroupBy(r => r.Pattern))
            Assert.Single(same.Select(r => (r.Class, r.Key)).Distinct());
    }

    [Theory]
    [InlineData("GET", "/_matrix/client/v3/pushrules/global/", "push_rules")]
    [InlineData("PUT", "/_matrix/client/v3/pushrules/global/room/x", "push_rules")]
    [InlineData("GET", "/_matrix/client/v3/devices/ABC", "client_read")]
    [InlineData("PUT", "/_matrix/client/v3/devices/ABC", "device_lists")]
    [InlineData("DELETE", "/_matrix/client/v3/devices/ABC", "device_lists")]
    [InlineData("GET", "/_synapse/admin/v2/users/@a:b", "admin")]
    public void Methods_decide_where_the_documentation_names_them(string method, string path, string expected) =>
        Assert.Equal(expected, RouteTable.Default.Match(MethodSets.Parse(method), path, "").Class.Name);
}
