using System.Buffers;
using System.Text.Json;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Account;

/// <summary>Registration. Spec: client-server-api/#account-registration-and-management</summary>
internal static class RegisterEndpoints
{
    /// <summary>Characters of a password or a username.</summary>
    private const int MaxLength = 512;
    private static readonly UiaFlow[] Flows = [new(DummyStage.Name)];

    public static void MapRegister(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/register", Register).Anonymous().Named("register");
        routes.Get(ClientVersions.R0V3Unstable, "/register/available", GetAvailable).Anonymous().Named("get_username_availability");
        routes.Get(ClientVersions.R0V3Unstable, "/password_policy", GetPasswordPolicy).Anonymous().Named("get_password_policy");
    }

    private static async Task<IResult> Register(
        JsonBody body, string? kind, InteractiveAuth uia, Registration registration, Sessions sessions, TokenAuthenticator tokens, PasswordHasher hasher,
        HomeserverConfig config, CancellationToken ct)
    {
        var request = body.AsObjectOrEmpty();
        switch (kind)
        {
            case "guest": return await RegisterGuest(request, registration, config, ct);
            case null or "user": break;
            default: throw MatrixError.InvalidParam("'kind' must be 'user' or 'guest'").AsException();
        }
        if (!config.EnableRegistration) throw MatrixError.Forbidden("Registration has been disabled").AsException();
        Check(request);
        var guest = await GuestOfAsync(request, tokens, config, ct);
        if (guest is null && request.StringOrNull("username") is { } wanted)
        {
            // Somebody who begins is told at once; somebody who comes with his proof learns it from the insert.
            if (request.TryGetProperty("auth"u8, out _)) Usernames.Validate(wanted, config.ServerName);
            else await RequireFreeAsync(wanted, registration, config, ct);
        }

        var outcome = await uia.CheckAsync(request, new UiaDemand
        {
            Operation = "register",
            Flows = Flows,
            Remember = c => RememberAsync(request, hasher, c),
        }, ct, keepSession: true);
        if (outcome.Challenge is { } challenge) return challenge;

        // A client may send nothing but auth once it has begun a session.
        var first = outcome.Remembered;
        var source = request.EnumerateObject().Any(m => !m.NameEquals("auth"u8)) ? request : first;
        var device = DeviceIds.Of(source);
        var inhibit = source.BoolOrNull("inhibit_login") ?? false;
        // Synapse: a session that has registered somebody goes on answering with him; the first answer may have been lost.
        if (first.StringOrNull("registered_user_id") is { } done)
        {
            if (!await registration.IsOpenAsync(new UserId(done), ct)) throw MatrixError.UserInUse().AsException();
            return await AnswerAsync(new UserId(done));
        }
        var hash = first.StringOrNull("password_hash") ?? await hasher.HashAsync(request.RequiredString("password"), ct);
        if (guest is { } upgraded)
        {
            await registration.UpgradeGuestAsync(upgraded, hash, ct);
            return await AnswerAsync(upgraded);
        }
        var user = source.StringOrNull("username") is { } name ? Usernames.Validate(name, config.ServerName) : registration.NewNumericUser();
        var token = await registration.RegisterAsync(new RegistrationOrder(user, hash)
        {
            Device = inhibit ? null : (device, DeviceIds.DisplayNameOf(source)),
            UiaSession = outcome.Session,
        }, ct);
        return LoginAnswer.Of(user, token, device, config);

        async Task<IResult> AnswerAsync(UserId known)
        {
            var session = inhibit ? null : await sessions.LogInAsync(known, device, DeviceIds.DisplayNameOf(source), ct);
            return LoginAnswer.Of(known, session?.Token, device, config);
        }
    }

    /// <summary>The guest who wants to become a user: his own token and his own name prove it. Null: nobody says so.</summary>
    private static async Task<UserId?> GuestOfAsync(JsonElement request, TokenAuthenticator tokens, HomeserverConfig config, CancellationToken ct)
    {
        if (request.StringOrNull("guest_access_token") is not { Length: > 0 } token || request.StringOrNull("username") is not { } username) return null;
        var requester = await tokens.AuthenticateAsync(token, ct);
        return requester.IsGuest && requester.UserId == UserId.Of(username, config.ServerName)
            ? requester.UserId : throw MatrixError.Forbidden("Cannot register taken user ID without valid guest credentials").AsException();
    }

    private static void Check(JsonElement request)
    {
        if (request.StringOrNull("password") is { Length: > MaxLength }) throw MatrixError.InvalidParam("Invalid password").AsException();
        if (request.StringOrNull("username") is { Length: > MaxLength }) throw MatrixError.InvalidUsername("Invalid username").AsException();
        DeviceIds.Of(request);
        DeviceIds.DisplayNameOf(request);
        request.BoolOrNull("inhibit_login");
    }

    private static async Task<IResult> RegisterGuest(JsonElement request, Registration registration, HomeserverConfig config, CancellationToken ct)
    {
        if (!config.AllowGuestAccess) throw MatrixError.Forbidden("Guest access is disabled").AsException();
        var guest = await registration.RegisterGuestAsync(DeviceIds.DisplayNameOf(request), ct);
        return LoginAnswer.Of(guest.User, guest.Token, guest.DeviceId, config);
    }

    private static async Task<UserId> RequireFreeAsync(string username, Registration registration, HomeserverConfig config, CancellationToken ct)
    {
        var user = Usernames.Validate(username, config.ServerName);
        return await registration.IsTakenAsync(user, ct) ? throw MatrixError.UserInUse().AsException() : user;
    }

    /// <summary>The request without auth, and with the hash in the place of the password.</summary>
    private static async ValueTask<byte[]> RememberAsync(JsonElement request, PasswordHasher hasher, CancellationToken ct)
    {
        var hash = request.StringOrNull("password") is { } password ? await hasher.HashAsync(password, ct) : null;
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            foreach (var name in (ReadOnlySpan<string>)["username", "device_id", "initial_device_display_name"])
                if (request.StringOrNull(name) is { } value) w.WriteString(name, value);
            if (request.BoolOrNull("inhibit_login") is { } inhibit) w.WriteBoolean("inhibit_login"u8, inhibit);
            if (hash is not null) w.WriteString("password_hash"u8, hash);
            w.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Nothing is demanded of passwords. Synapse: MSC2000</summary>
    private static IResult GetPasswordPolicy() => MatrixResults.Empty;

    private static async Task<IResult> GetAvailable(string? username, Registration registration, HomeserverConfig config, CancellationToken ct)
    {
        if (!config.EnableRegistration) throw MatrixError.Forbidden("Registration has been disabled").AsException();
        if (username is null) throw MatrixError.MissingParam("Missing 'username' parameter").AsException();
        await RequireFreeAsync(username, registration, config, ct);
        return MatrixResults.Object(w => w.WriteBoolean("available"u8, true));
    }
}
