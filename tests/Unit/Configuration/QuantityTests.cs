using Matrix.ServiceDefaults.Configuration;

namespace Matrix.Unit.Configuration;

public class QuantityTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("1500", 1500)]
    [InlineData("30s", 30_000)]
    [InlineData("5m", 300_000)]
    [InlineData("2h", 7_200_000)]
    [InlineData("1d", 86_400_000)]
    [InlineData("1w", 604_800_000)]
    [InlineData("1y", 31_536_000_000)]
    public void Durations_are_milliseconds_or_have_a_letter(string text, long milliseconds)
    {
        Assert.True(Quantities.TryParseDuration(text, out var duration));
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("1024", 1024)]
    [InlineData("50K", 51_200)]
    [InlineData("50M", 52_428_800)]
    [InlineData("2G", 2_147_483_648)]
    [InlineData("1T", 1_099_511_627_776)]
    public void Sizes_are_bytes_or_have_a_letter(string text, long bytes)
    {
        Assert.True(Quantities.TryParseSize(text, out var size));
        Assert.Equal(bytes, size);
    }

    [Theory]
    [InlineData("")]
    [InlineData("m")]
    [InlineData("-5m")]
    [InlineData("5 m")]
    [InlineData("1.5h")]
    [InlineData("99999999999999y")]
    public void What_is_no_duration_is_none(string text) => Assert.False(Quantities.TryParseDuration(text, out _));

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-1")]
    [InlineData("50MB")]
    [InlineData("9999999999T")]
    public void What_is_no_size_is_none(string text) => Assert.False(Quantities.TryParseSize(text, out _));

    [Theory]
    [InlineData("per_second", "per_secnd", 1)]
    [InlineData("enable", "enabel", 1)]
    [InlineData("a", "", 1)]
    [InlineData("cp_max", "cp_min", 2)]
    public void Distance_counts_edits(string a, string b, int expected) => Assert.Equal(expected, SynapseKeys.Distance(a, b));
}
