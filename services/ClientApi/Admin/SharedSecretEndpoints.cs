using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Matrix.ClientApi.Account;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Admin;

/// <summary>Registration with a secret that an administrator shares with the server. Synapse: admin_api/register_api</summary>
internal static class SharedSecretEndpoints
{
    private const string Path = "/_synapse/admin/v1/register";
    /// <summary>Bytes of a user name or a password.</summary>
    private const int MaxBytes = 512;
    private static readonly TimeSpan NonceLifetime = TimeSpan.FromSeconds(60);

    public static void MapSharedSecretRegistration(this ClientRoutes routes)
    {
        routes.Map("GET", Path, GetNonce).Anonymous().Named("admin_get_registration_nonce");
        routes.Map("POST", Path, Register).Anonymous().Named("admin_register");
    }

    private static async Task<IResult> GetNonce(RegistrationNonceStore nonces, HomeserverConfig config, TimeProvider clock, CancellationToken ct)
    {
        SecretOf(config);
        var nonce = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        await nonces.AddAsync(nonce, now, now - (long)NonceLifetime.TotalMilliseconds, ct);
        return MatrixResults.Object(w => w.WriteString("nonce"u8, nonce));
    }

    private static async Task<IResult> Register(
        JsonBody body, RegistrationNonceStore nonces, Registration registration, PasswordHasher hasher, HomeserverConfig config, TimeProvider clock,
        CancellationToken ct)
    {
        var secret = SecretOf(config);
        var request = body.AsObject();
        var nonce = request.RequiredString("nonce");
        if (!await nonces.TakeAsync(nonce, clock.GetUtcNow().ToUnixTimeMilliseconds() - (long)NonceLifetime.TotalMilliseconds, ct))
            throw MatrixError.Unknown(400, "unrecognised nonce").AsException();
        var username = Limited(request.RequiredString("username"), "username");
        var password = Limited(request.RequiredString("password"), "password");
        var admin = request.BoolOrNull("admin") ?? false;
        var userType = request.StringOrNull("user_type");
        if (userType is not (null or "bot" or "support")) throw MatrixError.InvalidParam("Invalid user type").AsException();
        var mac = request.RequiredString("mac");

        var text = string.Create(CultureInfo.InvariantCulture, $"{nonce}\0{username}\0{password}\0{(admin ? "admin" : "notadmin")}");
        if (userType is not null) text += "\0" + userType;
        var expected = Convert.ToHexStringLower(HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(text)));
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(mac), Encoding.UTF8.GetBytes(expected)))
            throw MatrixError.Unknown(403, "HMAC incorrect").AsException();

        var user = Usernames.Validate(username, config);
        if (await registration.IsTakenAsync(user, ct)) throw MatrixError.UserInUse().AsException();
        var inhibit = request.BoolOrNull("inhibit_login") ?? false;
        var session = await registration.RegisterAsync(new RegistrationOrder(user, await hasher.HashAsync(password, ct))
        {
            IsAdmin = admin,
            UserType = userType,
            DisplayName = request.StringOrNull("displayname"),
            Device = inhibit ? null : (DeviceIds.New(), null),
        }, ct);
        return LoginAnswer.Of(user, session, config);
    }

    private static string SecretOf(HomeserverConfig config) =>
        config.RegistrationSharedSecret is { Length: > 0 } secret
            ? secret : throw MatrixError.Unknown(400, "Shared secret registration is not enabled").AsException();

    private static string Limited(string value, string name) =>
        value.Length > 0 && Encoding.UTF8.GetByteCount(value) <= MaxBytes && !value.Contains('\0', StringComparison.Ordinal)
            ? value : throw MatrixError.Unknown(400, $"Invalid {name}").AsException();
}
