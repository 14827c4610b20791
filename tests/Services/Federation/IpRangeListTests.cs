using System.Net;
using Matrix.FederationClient.Outbound;

namespace Matrix.ServiceTests.Federation;

public class IpRangeListTests
{
    private static readonly IpRangeList List = new(["10.0.0.0/8", "192.168.1.77/24", "127.0.0.1", "fe80::/10", "::1/128"]);

    [Theory]
    [InlineData("10.255.0.1", true)]
    [InlineData("11.0.0.1", false)]
    [InlineData("192.168.1.1", true)]
    [InlineData("192.168.2.1", false)]
    [InlineData("127.0.0.1", true)]
    [InlineData("127.0.0.2", false)]
    [InlineData("::1", true)]
    [InlineData("::2", false)]
    [InlineData("febf::1", true)]
    [InlineData("::ffff:10.1.2.3", true)]
    [InlineData("64:ff9b::a01:203", true)]
    [InlineData("2002:a01:203::1", true)]
    [InlineData("2002:b01:203::1", false)]
    public void Addresses_are_judged_in_whatever_clothes_they_come(string address, bool blocked) =>
        Assert.Equal(blocked, List.Contains(IPAddress.Parse(address)));

    [Theory]
    [InlineData("10.0.0.0/33")]
    [InlineData("ten/8")]
    [InlineData("10.0.0.0/x")]
    public void What_is_no_range_is_named(string range) =>
        Assert.Contains(range, Assert.Throws<FormatException>(() => new IpRangeList([range])).Message);
}
