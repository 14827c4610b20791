using System.CommandLine;

namespace Matrix.Tools.Commands;

internal static class UserCommand
{
    public static Command Create(ToolContext context)
    {
        var name = new Argument<string>("name") { Description = "Localpart of the new user id: alice for @alice:example.org." };
        var password = new Option<string?>("--password", "-p") { Description = "Better left out: it is read from the standard input then." };
        var admin = new Option<bool>("--admin", "-a") { Description = "Makes a server administrator." };
        var displayName = new Option<string?>("--display-name") { Description = "Name that others see." };
        var url = new Option<string>("--url", "-u") { Description = "Address of the homeserver.", DefaultValueFactory = _ => "http://127.0.0.1:8008" };
        var secret = new Option<string?>("--shared-secret") { Description = "registration_shared_secret; by default that of the configuration." };
        var paths = ArmadaCommand.ConfigOption();
        var create = new Command("create", "Registers a user through a running homeserver.") { name, password, admin, displayName, url, secret, paths };
        create.SetAction(async (result, ct) =>
        {
            var shared = result.GetValue(secret) ?? ArmadaCommand.Load(context, result.GetValue(paths))?.RegistrationSharedSecret;
            if (string.IsNullOrEmpty(shared))
            {
                await context.Error.WriteLineAsync("There is no registration_shared_secret: set it in homeserver.yaml, or give --shared-secret.");
                return ToolExit.Configuration;
            }
            var chosen = result.GetValue(password) ?? await PasswordPrompt.ReadAsync(context, ct);
            if (string.IsNullOrEmpty(chosen))
            {
                await context.Error.WriteLineAsync("A user needs a password.");
                return ToolExit.Failed;
            }
            using var http = new HttpClient { BaseAddress = new Uri(result.GetValue(url)!), Timeout = TimeSpan.FromSeconds(30) };
            var user = new NewUser(result.GetValue(name)!, chosen, result.GetValue(admin), result.GetValue(displayName));
            return await SharedSecretRegistration.RunAsync(context, http, shared, user, ct);
        });
        return new Command("user", "Users of this homeserver.") { create };
    }
}
