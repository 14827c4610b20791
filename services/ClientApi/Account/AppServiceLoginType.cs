using System.Text.Json;
using Matrix.Primitives;
using Matrix.Web.AppServices;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>Application services log their users in without a password. Spec: client-server-api/#appservice-login</summary>
internal sealed class AppServiceLoginType(AppServiceRegistrations registrations, PasswordLogin identifiers, LoginGate gate, Registration registration) : ILoginType
{
    public const string Name = "m.login.application_service";

    // Synapse: the historical name, too.
    public bool Serves(string type) => type is Name or "uk.half-shot.msc2778.login.application_service";

    public void WriteFlows(Utf8JsonWriter w)
    {
        w.WriteStartObject();
        w.WriteString("type"u8, Name);
        w.WriteEndObject();
    }

    public async Task<LoginProof> ProveAsync(JsonElement submission, LoginClient client, CancellationToken ct)
    {
        var service = Find(client.BearerToken);
        var user = await identifiers.FindUserAsync(submission, ct) ?? throw MatrixError.Forbidden("Invalid username").AsException();
        if (!service.IsInterestedInUser(user.Value)) throw MatrixError.Custom(403, "M_EXCLUSIVE", "The user is not in a namespace of this application service.").AsException();
        // Synapse: the service's own user need not be registered. Here he is then, for his session to be one like any other.
        if (user.Value == service.Sender && !await registration.IsTakenAsync(user, ct))
            await registration.RegisterAsync(new RegistrationOrder(user, null) { AppServiceId = service.Id }, ct);
        await gate.RequireOpenAsync(user, ct);
        return new LoginProof(user);
    }

    /// <summary>The service whose token it is; M_MISSING_TOKEN, M_UNKNOWN_TOKEN.</summary>
    public AppServiceRegistration Find(string? token)
    {
        if (token is null) throw MatrixError.MissingToken().AsException();
        return registrations.OfToken(token) ?? throw MatrixError.UnknownToken().AsException();
    }
}
