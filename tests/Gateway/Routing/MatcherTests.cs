using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Matrix.Gateway.Routing;
using Matrix.Gateway.Routing.Matching;
using Xunit;

namespace Matrix.Gateway.Tests.Routing;

public sealed class MatcherTests
{
    private static readonly (RouteRow Row, Regex Regex)[] Plain =
        [.. RouteTable.Default.Rows.Select(r => (r, new Regex(r.Pattern, RegexOptions.CultureInvariant)))];

    private static readonly string[] Words =
    [
        .. RouteTable.Default.Rows.SelectMany(r => Regex.Split(r.Pattern, @"[/^$()|*+?\[\]]+")).Where(w => w.Length > 0).Distinct(),
        "", "", "%2F", "%252F", "..", "!room:example.org", "$event", "@user:example.org", "%F0%9F%98%80", "SEND", "Rooms", "x", "orgXmatrix.msc2716",
    ];

    private static readonly Gen<string> Stitched = Gen.Choose(0, 9).SelectMany(n => Gen.Elements(Words).ListOf(n)).Select(w => "/" + string.Join('/', w));

    private static readonly Gen<string> FromRow = Gen.Elements(RouteTable.Default.Rows.ToArray()).SelectMany(row => Gen.Elements(GlobParser.Parse(row.Pattern).ToArray()))
        .SelectMany(glob => Stitched.Two().Select(t => Instance(glob, t.Item1.TrimStart('/'), t.Item2)));

    private static readonly Gen<string> Damaged = FromRow.SelectMany(path => Gen.Choose(0, path.Length).SelectMany(at => Gen.Elements("", "/", "x", "/rooms/", "send", "%2F")
        .SelectMany(insert => Gen.Choose(0, 2).Select(cut => path[..at] + insert + path[Math.Min(path.Length, at + cut)..]))));

    private static readonly Gen<(MethodSet, string)> Requests =
        Gen.Elements(MethodSet.Get, MethodSet.Put, MethodSet.Post, MethodSet.Delete).SelectMany(m => Gen.OneOf(Stitched, FromRow, Damaged).Select(p => (m, p)));

    private static string Instance(Glob glob, string fill, string tail) =>
        glob.Prefix + string.Concat(glob.Parts.Select(p => p.Kind switch
        {
            GlobPartKind.Literal => p.Text.Replace(Glob.AnyChar, '.'),
            GlobPartKind.Segment => fill.Replace('/', '-') + "s",
            _ => fill,
        })) + (glob.Closed ? "" : tail);

    private static RouteRow? FirstByRegex(MethodSet method, string path) =>
        Array.Find(Plain, r => (r.Row.Methods & method) != 0 && r.Regex.IsMatch(path)).Row;

    [Fact]
    public void Finds_the_same_row_as_trying_every_regular_expression_in_turn()
    {
        var rowsSeen = new HashSet<RouteRow>(ReferenceEqualityComparer.Instance);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(6000), Prop.ForAll(Requests.ToArbitrary(), request =>
        {
            var expected = FirstByRegex(request.Item1, request.Item2);
            if (expected is not null) rowsSeen.Add(expected);
            return ReferenceEquals(expected, RouteTable.Default.FindRow(request.Item1, request.Item2));
        }));
        Assert.True(rowsSeen.Count > 60, $"The paths were too tame: only {rowsSeen.Count} rows were met.");
    }

    [Fact]
    public void Finds_the_same_row_for_every_endpoint_of_the_specification()
    {
        foreach (var (method, path) in Endpoints.All)
            Assert.Same(FirstByRegex(MethodSets.Parse(method), path), RouteTable.Default.FindRow(MethodSets.Parse(method), path));
    }

    [Theory]
    [InlineData("^/a+$")]
    [InlineData("^/[a-z]$")]
    [InlineData("^/a.*b[^/]+c$")]
    [InlineData("^/(a$|b)c")]
    [InlineData("^/(a")]
    [InlineData("^/[^/]+x")]
    [InlineData(@"^/\d")]
    public void A_pattern_beyond_what_the_matcher_knows_is_refused_when_the_table_is_built(string pattern) =>
        Assert.Throws<NotSupportedException>(() => new RouteTable([new(RouteClass.Client, MethodSet.Any, pattern, AffinityKind.None, RowSource.Own)]));

    [Fact]
    public void Matching_allocates_nothing()
    {
        const string path = "/_matrix/client/v3/user/%40alice%3Aexample.org/rooms/!abc/account_data/m.fully_read";
        RouteTable.Default.Match(MethodSet.Put, path, "");
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) RouteTable.Default.Match(MethodSet.Put, path, "");
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
