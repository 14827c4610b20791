using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>Application services register their users, without a proof. Spec: application-service-api/#server-admin-style-permissions</summary>
internal sealed class AppServiceUserRegistration(AppServiceLoginType services, Registration registration, HomeserverConfig config)
{
    public bool Wants(JsonElement request) => request.StringOrNull("type") == AppServiceLoginType.Name;

    public async Task<IResult> RegisterAsync(JsonElement request, LoginClient client, CancellationToken ct)
    {
        var service = services.Find(client.BearerToken);
        // Synapse: the old name of the member, too.
        var username = request.StringOrNull("username") ?? request.RequiredString("user");
        var user = Usernames.ValidateForAppService(username, config);
        if (!service.IsInterestedInUser(user.Value))
            throw MatrixError.Exclusive("The user is not in a namespace of this application service.").AsException();
        var inhibit = request.BoolOrNull("inhibit_login") ?? false;
        var session = await registration.RegisterAsync(new RegistrationOrder(user, null)
        {
            AppServiceId = service.Id,
            Device = inhibit ? null : (DeviceIds.Of(request), DeviceIds.DisplayNameOf(request)),
            Refreshable = request.BoolOrNull("refresh_token") ?? false,
        }, ct);
        return LoginAnswer.Of(user, session, config);
    }
}
