using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.AppHost.Fleet;

namespace Matrix.AppHost.Commands;

/// <summary>./run user: registration with the shared secret of the configuration, the way of Synapse's register_new_matrix_user.</summary>
internal static class CreateUser
{
    public static async Task<int> RunAsync(string[] args)
    {
        var rest = new List<string>();
        string? name = null, password = null;
        var isAdmin = false;
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--admin":
                    isAdmin = true;
                    break;
                case "--password" when i + 1 < args.Length:
                    password = args[++i];
                    break;
                case "--config" or "--data" or "--port" when i + 1 < args.Length:
                    rest.AddRange([args[i], args[++i]]);
                    break;
                case var word when !word.StartsWith('-') && name is null:
                    name = word;
                    break;
                default:
                    return Fail($"{args[i]} is nothing that ./run user knows.", "./run user NAME [--password P] [--admin]");
            }
        }

        if (name is null)
        {
            return Fail("Which name?", "./run user alice");
        }

        var run = LocalRun.Read([.. rest, "monolith"], checkServers: false);
        if (run.Config.RegistrationSharedSecret is not { } secret)
        {
            return Fail($"{run.ConfigFile} has no registration_shared_secret.", "registration_shared_secret: \"some long random text\", then start the server again");
        }

        password ??= AskPassword(name);
        if (password.Length == 0)
        {
            return Fail("The password is empty.", "--password P, or type one");
        }

        var address = string.Create(CultureInfo.InvariantCulture, $"{(run.PublicEndpoint.Tls ? "https" : "http")}://localhost:{run.PublicEndpoint.Port}");
        return await RegisterAsync(address, name, password, isAdmin, secret);
    }

    private static async Task<int> RegisterAsync(string address, string name, string password, bool isAdmin, string secret)
    {
        using var http = new HttpClient { BaseAddress = new(address), Timeout = TimeSpan.FromSeconds(30) };
        try
        {
            using var begin = JsonDocument.Parse(await http.GetStringAsync(new Uri("/_synapse/admin/v1/register", UriKind.Relative)));
            var nonce = begin.RootElement.GetProperty("nonce").GetString()!;
            var body = new Dictionary<string, object>
            {
                ["nonce"] = nonce,
                ["username"] = name,
                ["password"] = password,
                ["admin"] = isAdmin,
                ["mac"] = Mac(secret, nonce, name, password, isAdmin),
            };
            using var response = await http.PostAsJsonAsync(new Uri("/_synapse/admin/v1/register", UriKind.Relative), body);
            using var answer = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
            if (response.StatusCode == HttpStatusCode.OK)
            {
                Console.WriteLine($"made {answer.RootElement.GetProperty("user_id").GetString()}{(isAdmin ? ", an administrator" : "")}");
                return 0;
            }

            var error = answer.RootElement.TryGetProperty("error", out var text) ? text.GetString() : response.ReasonPhrase;
            return Fail($"The server did not make the account: {error}", "another name, or another password");
        }
        catch (HttpRequestException e)
        {
            return Fail($"No server answers at {address}: {e.Message}", "start it first: ./run   (in another terminal, with the same --data, --config and --port)");
        }
        catch (JsonException)
        {
            return Fail($"What answers at {address} is no homeserver.", "the port of ./run, with --port N");
        }
    }

    /// <summary>Synapse: HMAC-SHA1 over the parts, joined by zero bytes, in hexadecimal.</summary>
    internal static string Mac(string secret, string nonce, string name, string password, bool isAdmin) =>
        Convert.ToHexStringLower(HMACSHA1.HashData(
            Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{nonce}\0{name}\0{password}\0{(isAdmin ? "admin" : "notadmin")}")));

    private static string AskPassword(string name)
    {
        Console.Write($"Password for {name}: ");
        if (Console.IsInputRedirected)
        {
            return Console.ReadLine() ?? "";
        }

        var text = new StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace && text.Length > 0)
            {
                text.Length--;
            }
            else if (key.KeyChar >= ' ')
            {
                text.Append(key.KeyChar);
            }
        }

        Console.WriteLine();
        return text.ToString();
    }

    private static int Fail(string problem, string fix)
    {
        Console.Error.WriteLine($"{problem}\n  fix  {fix}");
        return 1;
    }
}
