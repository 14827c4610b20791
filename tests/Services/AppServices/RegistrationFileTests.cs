using Matrix.ServiceDefaults.Configuration;
using Matrix.Web.AppServices;

namespace Matrix.ServiceTests.AppServices;

public class RegistrationFileTests
{
    private const string Bridge =
        """
        id: "IRC Bridge"
        url: "http://127.0.0.1:1234"
        as_token: "30c05ae9"
        hs_token: "312df522"
        sender_localpart: "_irc_bot"
        namespaces:
          users:
            - exclusive: true
              regex: "@_irc_bridge_.*"
          aliases:
            - exclusive: false
              regex: "#_irc_bridge_.*"
          rooms: []
        """;

    private static (AppServiceRegistration? Registration, List<ConfigFault> Faults) Parse(string yaml)
    {
        var faults = new List<ConfigFault>();
        return (AppServiceRegistrationFile.Parse(yaml, "bridge.yaml", "test.example", faults), faults);
    }

    [Fact]
    public void The_example_of_the_specification_is_read()
    {
        var bridge = Parse(Bridge).Registration!;
        Assert.Equal(("IRC Bridge", "http://127.0.0.1:1234/", "@_irc_bot:test.example"), (bridge.Id, bridge.Url!.ToString(), bridge.Sender));
        Assert.True(bridge.IsRateLimited);
        Assert.True(bridge.IsInterestedInUser("@_irc_bridge_bob:test.example"));
        Assert.True(bridge.IsExclusiveUser("@_irc_bot:test.example"));
        Assert.False(bridge.IsInterestedInUser("@x_irc_bridge_bob:test.example"));
        Assert.True(bridge.IsInterestedInAlias("#_irc_bridge_x:test.example"));
        Assert.False(bridge.IsExclusiveAlias("#_irc_bridge_x:test.example"));
        Assert.False(bridge.IsInterestedInRoom("!r:test.example"));
    }

    [Fact]
    public void A_service_that_only_acts_has_a_null_url() => Assert.Null(Parse(Bridge.Replace("\"http://127.0.0.1:1234\"", "null")).Registration!.Url);

    [Fact]
    public void Every_fault_is_named_at_once()
    {
        var (registration, faults) = Parse(
            """
            id: ""
            url: "ftp://x"
            as_token: a
            rate_limited: perhaps
            namespaces:
              users:
                - regex: "@(?=x)"
                  exclusive: true
                - exclusive: true
              aliases: yes
            """);
        Assert.Null(registration);
        Assert.Equal(
            ["hs_token", "id", "namespaces.aliases", "namespaces.users[0].regex", "namespaces.users[1].regex", "rate_limited", "sender_localpart", "url"],
            faults.Select(f => f.Key).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("a: [")]
    public void What_is_no_registration_is_a_fault(string yaml)
    {
        var (registration, faults) = Parse(yaml);
        Assert.Null(registration);
        Assert.NotEmpty(faults);
    }

    [Fact]
    public void Two_services_with_one_token_or_name_are_a_fault_and_so_is_a_missing_file()
    {
        var folder = Directory.CreateTempSubdirectory("armada-registrations-").FullName;
        try
        {
            string[] paths = [Path.Combine(folder, "a.yaml"), Path.Combine(folder, "b.yaml"), Path.Combine(folder, "c.yaml")];
            File.WriteAllText(paths[0], Bridge);
            File.WriteAllText(paths[1], Bridge.Replace("http://127", "https://127"));
            var (_, faults) = AppServiceRegistrationFile.Load(paths, "test.example");
            Assert.Equal(["app_service_config_files", "as_token", "id"], faults.Select(f => f.Key).Order(StringComparer.Ordinal));
            Assert.DoesNotContain("30c05ae9", ConfigFault.Format(faults));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
