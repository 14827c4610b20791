using System.Text.Json;
using Matrix.Testing.Servers;
using Matrix.Tools;
using Matrix.Tools.Commands;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.Tools;

public sealed class ToolTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private static async Task<(int Exit, string Out, string Error)> RunAsync(string input, params string[] args)
    {
        using StringWriter output = new(), error = new();
        var exit = await ArmadaCommand.RunAsync(
            args, new ToolContext(output, error, new StringReader(input), new Dictionary<string, string>()), CancellationToken.None);
        return (exit, output.ToString(), error.ToString());
    }

    private static async Task WithConfigAsync(string more, Func<string, Task> test)
    {
        var folder = Directory.CreateTempSubdirectory("armada-tools-").FullName;
        try
        {
            var path = Path.Combine(folder, "homeserver.yaml");
            await File.WriteAllTextAsync(Path.Combine(folder, "key"), "ed25519 a_1 " + Convert.ToBase64String(new byte[32]).TrimEnd('=') + "\n");
            await File.WriteAllTextAsync(path, "server_name: test.example\nsigning_key_path: key\n" + more);
            await test(path);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private string Database()
    {
        var settings = new Npgsql.NpgsqlConnectionStringBuilder(postgres.ConnectionString);
        return JsonSerializer.Serialize(new { name = "psycopg2", args = new { host = settings.Host, port = settings.Port, user = settings.Username, password = settings.Password, database = settings.Database } })
            .Replace("\":", "\": ", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_names_every_command()
    {
        var (exit, output, _) = await RunAsync("", "--help");
        Assert.Equal(0, exit);
        foreach (var command in (string[])["check", "config", "user", "version"]) Assert.Contains(command, output);
    }

    [Fact]
    public async Task The_version_is_told() => Assert.StartsWith("Armada ", (await RunAsync("", "version")).Out);

    [Fact]
    public Task A_good_configuration_is_called_good() => WithConfigAsync("database: " + Database() + "\n", async path =>
    {
        var (exit, output, error) = await RunAsync("", "config", "check", "--config", path);
        Assert.True(exit == 0, error);
        Assert.Contains("test.example can be used", output);
    });

    [Fact]
    public Task All_faults_of_a_configuration_are_told() => WithConfigAsync("max_upload_size: large\ndefault_room_version: '99'\n", async path =>
    {
        var (exit, _, error) = await RunAsync("", "config", "check", "-c", path);
        Assert.Equal(ToolExit.Configuration, exit);
        Assert.Contains("max_upload_size", error);
        Assert.Contains("default_room_version", error);
    });

    [Fact]
    public Task A_database_in_order_is_called_so_and_a_counter_that_lags_is_named_with_its_cure() => WithConfigAsync("database: " + Database() + "\n", async path =>
    {
        var (exit, output, error) = await RunAsync("", "check", "-c", path);
        Assert.True(exit == 0, output + error);
        await using (var command = postgres.Source.CreateCommand("insert into event_stream (pos, room_nid, event_nid) values (999, 1, 1)")) await command.ExecuteNonQueryAsync();
        (exit, output, _) = await RunAsync("", "check", "-c", path);
        Assert.Equal(ToolExit.Failed, exit);
        Assert.Contains("stream_counters", output);
    });

    [Fact]
    public Task A_database_that_is_away_is_told_in_one_line() => WithConfigAsync("database: {name: psycopg2, args: {host: 127.0.0.1, port: 1, user: u, database: d}}\n", async path =>
    {
        var (exit, _, error) = await RunAsync("", "check", "-c", path);
        Assert.Equal(ToolExit.Unreachable, exit);
        Assert.Single(error.Trim().Split('\n'));
    });

    [Fact]
    public async Task A_user_is_made_with_the_shared_secret_and_the_password_from_the_input()
    {
        JsonElement received = default;
        await using var server = await StartAsync(async context =>
        {
            if (context.Request.Method == "GET")
            {
                await context.Response.WriteAsync("""{"nonce":"n1"}""");
                return;
            }
            received = JsonDocument.Parse(await new StreamReader(context.Request.Body).ReadToEndAsync()).RootElement.Clone();
            await context.Response.WriteAsync("""{"user_id":"@alice:test.example"}""");
        });
        var (exit, output, error) = await RunAsync("secret word\n", "user", "create", "alice", "--admin", "--shared-secret", "s3cret", "--url", Url(server));
        Assert.True(exit == 0, error);
        Assert.Contains("@alice:test.example is registered as administrator", output);
        Assert.Equal(("n1", "alice", "secret word", true), (received.GetProperty("nonce").GetString(), received.GetProperty("username").GetString(),
            received.GetProperty("password").GetString(), received.GetProperty("admin").GetBoolean()));
        Assert.Equal(SharedSecretRegistration.Mac("s3cret", "n1", new NewUser("alice", "secret word", true, null)), received.GetProperty("mac").GetString());
    }

    [Fact]
    public void The_proof_of_the_secret_is_the_one_that_the_interface_wants() =>
        Assert.Equal("a6e6dbe6851875d5b191adb7e259de0361bacea3", SharedSecretRegistration.Mac("k", "n", new NewUser("u", "p", false, null)));

    [Fact]
    public async Task What_the_server_refuses_is_told_in_its_words()
    {
        await using var server = await StartAsync(async context =>
        {
            if (context.Request.Method == "POST") context.Response.StatusCode = 400;
            await context.Response.WriteAsync(context.Request.Method == "GET" ? """{"nonce":"n"}""" : """{"errcode":"M_USER_IN_USE","error":"User ID already taken."}""");
        });
        var (exit, _, error) = await RunAsync("pw", "user", "create", "alice", "--shared-secret", "s", "--url", Url(server));
        Assert.Equal(ToolExit.Failed, exit);
        Assert.Contains("User ID already taken. (400 M_USER_IN_USE)", error);
        Assert.Equal(ToolExit.Unreachable, (await RunAsync("pw", "user", "create", "a", "--shared-secret", "s", "--url", "http://127.0.0.1:1")).Exit);
    }

    private static string Url(WebApplication server) => server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    private static async Task<WebApplication> StartAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapMethods("/_synapse/admin/v1/register", ["GET", "POST"], answer);
        await app.StartAsync();
        return app;
    }
}
