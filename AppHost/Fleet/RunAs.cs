using System.Diagnostics;

namespace Matrix.AppHost.Fleet;

/// <summary>How to run a program that refuses to be root.</summary>
internal sealed record RunAs(string[] Prefix, string? User)
{
    /// <summary>The present user, or for root the user <c>postgres</c>.</summary>
    /// <param name="folder">Must be reachable for that user; below a closed folder such as /root the program keeps the right to pass through.</param>
    public static RunAs Ordinary(string folder)
    {
        if (Environment.UserName != "root")
        {
            return new([], null);
        }

        Directory.CreateDirectory(folder);
        string[] plain = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
        return Succeeds([.. plain, "test", "-x", folder])
            ? new(plain, "postgres")
            : new([.. plain, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"], "postgres");
    }

    public string[] Wrap(string[] command) => [.. Prefix, .. command];

    public void Own(string path)
    {
        if (User is { } user && !Succeeds(["chown", "-R", $"{user}:", path]))
        {
            throw new RunFault($"{path} cannot be given to the user {user}.\n  fix  choose a folder on a local disk: --data DIR");
        }
    }

    private static bool Succeeds(string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
