namespace Matrix.ClientApi.Sso;

/// <summary>What a session of user-interactive authentication is for, in words for the user.</summary>
internal static class UiaOperations
{
    public static string Describe(string operation) => operation.Split(' ')[0] switch
    {
        "delete_device" or "delete_devices" => "remove a device from your account",
        "change_password" => "change the password of your account",
        "deactivate" => "deactivate your account",
        "device_signing" => "set up new keys for the encryption of your account",
        "add_3pid" => "add an email address or phone number to your account",
        "login_token" => "log in a new device of yours",
        _ => "change your account",
    };
}
