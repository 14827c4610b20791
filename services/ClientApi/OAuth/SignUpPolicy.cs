using Matrix.ClientApi.Account;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.OAuth;

/// <summary>Whether accounts can be made on our sign-up page, and what must be proved for it: what clients that register are asked, the least demanding flow.</summary>
internal sealed class SignUpPolicy(RegistrationFlows flows, HomeserverConfig config)
{
    public bool IsOpen => config.EnableRegistration;
    public IReadOnlyList<string> Stages { get; } = flows.All[0].Stages;
}
