using System.Text;
using Matrix.Events;

namespace Matrix.Unit.Events;

public sealed class ServerAclTests
{
    [Theory]
    [InlineData("""{"allow":["*"]}""", "example.org", true)]
    [InlineData("""{"allow":["*"]}""", "example.org:8448", true)]
    [InlineData("""{"allow":["*"],"deny":["evil.com"]}""", "evil.com", false)]
    [InlineData("""{"allow":["*"],"deny":["evil.com"]}""", "evil.com:1234", false)]
    [InlineData("""{"allow":["*"],"deny":["evil.com"]}""", "EVIL.com", false)]
    [InlineData("""{"allow":["*"],"deny":["evil.com"]}""", "not-evil.com", true)]
    [InlineData("""{"allow":["*"],"deny":["*.evil.com"]}""", "a.b.evil.com", false)]
    [InlineData("""{"allow":["*"],"deny":["*.evil.com"]}""", "evil.com", true)]
    [InlineData("""{"allow":["*"],"deny":["evil.co?"]}""", "evil.com", false)]
    [InlineData("""{"allow":["evil.com"],"deny":["evil.com"]}""", "evil.com", false)]
    [InlineData("""{"allow":["*.example.org"]}""", "a.example.org", true)]
    [InlineData("""{"allow":["*.example.org"]}""", "example.com", false)]
    [InlineData("{}", "example.org", false)]
    [InlineData("""{"allow":[]}""", "example.org", false)]
    [InlineData("""{"allow":"*"}""", "example.org", false)]
    [InlineData("""{"allow":[1,null,"*"],"deny":"evil.com"}""", "evil.com", true)]
    [InlineData("""{"allow":["*"],"allow_ip_literals":false}""", "1.2.3.4", false)]
    [InlineData("""{"allow":["*"],"allow_ip_literals":false}""", "1.2.3.4:8448", false)]
    [InlineData("""{"allow":["*"],"allow_ip_literals":false}""", "[::1]", false)]
    [InlineData("""{"allow":["*"],"allow_ip_literals":false}""", "[2001:db8::1]:8448", false)]
    [InlineData("""{"allow":["*"],"allow_ip_literals":false}""", "example.org", true)]
    [InlineData("""{"allow":["*"],"allow_ip_literals":false}""", "1234", true)]
    [InlineData("""{"allow":["*"],"allow_ip_literals":"false"}""", "1.2.3.4", true)]
    [InlineData("""{"allow":["*"]}""", "[::1]", true)]
    [InlineData("""{"allow":["*"]}""", "", false)]
    [InlineData("""{"allow":["*"]}""", "exa mple.org", false)]
    public void A_server_is_allowed_as_the_specification_says(string content, string server, bool allowed) =>
        Assert.Equal(allowed, ServerAcl.Read(Encoding.UTF8.GetBytes(content)).Allows(server));
}
