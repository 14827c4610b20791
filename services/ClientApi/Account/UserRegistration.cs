using Matrix.Web.RateLimits;
using System.Buffers;
using System.Text.Json;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.AppServices;
using Matrix.Web.Auth;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>Somebody wants an account: proves what the configuration asks for and gets it.</summary>
internal sealed class UserRegistration(
    InteractiveAuth uia, RegistrationFlows flows, Registration registration, Sessions sessions, TokenAuthenticator tokens, PasswordHasher hasher,
    PasswordRules rules, AppServiceRegistrations services, RateLimiter limiter, HomeserverConfig config)
{
    /// <summary>Characters.</summary>
    private const int MaxUsername = 512;

    public async Task<IResult> RegisterAsync(JsonElement request, LoginClient client, CancellationToken ct)
    {
        if (!config.EnableRegistration) throw MatrixError.Forbidden("Registration has been disabled").AsException();
        await limiter.RequireLeftAsync(RateLimitRules.Registration, client.Address, ct);
        Check(request);
        var guest = await GuestOfAsync(request, ct);
        if (guest is null && request.StringOrNull("username") is { } wanted)
        {
            // Somebody who begins is told at once; somebody who comes with his proof learns it from the insert.
            if (request.TryGetProperty("auth"u8, out _)) Named(wanted);
            else await RequireFreeAsync(wanted, ct);
        }
        var outcome = await uia.CheckAsync(request, new UiaDemand
        {
            Operation = "register",
            Flows = flows.All,
            ClientAddress = client.Address,
            Remember = c => RememberAsync(request, c),
        }, ct, keepSession: true);
        return outcome.Challenge ?? await CompleteAsync(request, outcome, guest, client, ct);
    }

    private async Task<IResult> CompleteAsync(JsonElement request, UiaOutcome outcome, UserId? guest, LoginClient client, CancellationToken ct)
    {
        // A client may send nothing but auth once it has begun a session.
        var first = outcome.Remembered;
        var source = request.EnumerateObject().Any(m => !m.NameEquals("auth"u8)) ? request : first;
        var device = DeviceIds.Of(source);
        var inhibit = source.BoolOrNull("inhibit_login") ?? false;
        var refreshable = source.BoolOrNull("refresh_token") ?? false;
        // Synapse: a session that has registered somebody goes on answering with him; the first answer may have been lost.
        if (first.StringOrNull("registered_user_id") is { } done)
        {
            if (!await registration.IsOpenAsync(new UserId(done), ct)) throw MatrixError.UserInUse().AsException();
            return await AnswerAsync(new UserId(done));
        }
        // Synapse: a password in this request is the one that is meant, else the one that the session began with.
        var hash = (request.StringOrNull("password") is null ? first.StringOrNull("password_hash") : null)
            ?? await hasher.HashAsync(request.RequiredString("password"), ct);
        var consent = outcome.Results.ContainsKey(TermsStage.Name) ? config.Accounts.Consent?.Version : null;
        if (guest is { } upgraded)
        {
            await registration.UpgradeGuestAsync(upgraded, hash, consent, ct);
            return await AnswerAsync(upgraded);
        }
        var user = source.StringOrNull("username") is { } name ? Named(name) : registration.NewNumericUser();
        await limiter.RequireAsync(RateLimitRules.Registration, null, client.Address, ct);
        var session = await registration.RegisterAsync(new RegistrationOrder(user, hash)
        {
            Device = inhibit ? null : (device, DeviceIds.DisplayNameOf(source)),
            Refreshable = refreshable,
            UiaSession = outcome.Session,
            ConsentVersion = consent,
            Addresses = [.. ThreepidStage.AddressesOf(outcome.Results)],
        }, ct);
        return LoginAnswer.Of(user, session, config);

        async Task<IResult> AnswerAsync(UserId known) => LoginAnswer.Of(
            known, inhibit ? null : await sessions.LogInAsync(known, device, DeviceIds.DisplayNameOf(source), ct, refreshable, isProof: guest is not null), config);
    }

    public async Task RequireFreeAsync(string username, CancellationToken ct)
    {
        var user = Named(username);
        // Who may not learn which names are taken learns it when he takes one.
        if (!config.Accounts.InhibitUserInUse && await registration.IsTakenAsync(user, ct)) throw MatrixError.UserInUse().AsException();
    }

    private UserId Named(string username)
    {
        var user = Usernames.Validate(username, config);
        foreach (var service in services.All)
            if (service.IsExclusiveUser(user.Value)) throw MatrixError.Exclusive("This user ID is reserved by an application service.").AsException();
        return user;
    }

    /// <summary>The guest who wants to become a user: his own token and his own name prove it. Null: nobody says so.</summary>
    private async Task<UserId?> GuestOfAsync(JsonElement request, CancellationToken ct)
    {
        if (request.StringOrNull("guest_access_token") is not { Length: > 0 } token || request.StringOrNull("username") is not { } username) return null;
        var requester = await tokens.AuthenticateAsync(token, ct);
        return requester.IsGuest && requester.UserId == UserId.Of(username, config.ServerName)
            ? requester.UserId : throw MatrixError.Forbidden("Cannot register taken user ID without valid guest credentials").AsException();
    }

    private void Check(JsonElement request)
    {
        if (request.StringOrNull("password") is { } password) rules.Check(password);
        if (request.StringOrNull("username") is { Length: > MaxUsername }) throw MatrixError.InvalidUsername("Invalid username").AsException();
        DeviceIds.Of(request);
        DeviceIds.DisplayNameOf(request);
        request.BoolOrNull("inhibit_login");
        request.BoolOrNull("refresh_token");
    }

    /// <summary>The request without auth, and with the hash in the place of the password.</summary>
    private async ValueTask<byte[]> RememberAsync(JsonElement request, CancellationToken ct)
    {
        var hash = request.StringOrNull("password") is { } password ? await hasher.HashAsync(password, ct) : null;
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            foreach (var name in (ReadOnlySpan<string>)["username", "device_id", "initial_device_display_name"])
                if (request.StringOrNull(name) is { } value) w.WriteString(name, value);
            foreach (var name in (ReadOnlySpan<string>)["inhibit_login", "refresh_token"])
                if (request.BoolOrNull(name) is { } value) w.WriteBoolean(name, value);
            if (hash is not null) w.WriteString("password_hash"u8, hash);
            w.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
