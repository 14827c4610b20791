using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Matrix.ServiceDefaults.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Matrix.AppHost.Fleet;

/// <summary>
/// A PostgreSQL for this run alone: own data folder, own port on loopback, own password. PostgreSQL refuses to run as root, so it then runs as
/// the user <c>postgres</c> that its package made.
/// </summary>
internal sealed class LocalPostgres
{
    public const string Name = "armada";

    private LocalPostgres(string command, string[] arguments, int port, string password) =>
        (Command, Arguments, Port, Password) = (command, arguments, port, password);

    public string Command { get; }
    public string[] Arguments { get; }
    public int Port { get; }
    public string Password { get; }

    /// <summary>Makes the data folder at the first run.</summary>
    public static LocalPostgres Prepare(string dataFolder, int port)
    {
        var folder = Path.Combine(dataFolder, "postgres");
        var passwordFile = Path.Combine(dataFolder, "postgres.password");
        var binaries = FindBinaries(folder) ?? throw new RunFault(
            "PostgreSQL is not installed, and the configuration names none.\n  fix  apt-get install postgresql   (./run does it as root), or set database.args in homeserver.yaml");
        var user = RunAs.Ordinary(dataFolder);
        Directory.CreateDirectory(dataFolder);
        if (!File.Exists(Path.Combine(folder, "PG_VERSION")))
        {
            Console.WriteLine($"making the database in {folder}");
            ConfigGenerator.WriteSecretFile(passwordFile, ConfigGenerator.NewSecret());
            Create(binaries, folder, File.ReadAllText(passwordFile), user);
        }

        WaitForPredecessor(folder);
        string[] settings =
        [
            "listen_addresses=127.0.0.1",
            string.Create(CultureInfo.InvariantCulture, $"port={port}"),
            "unix_socket_directories=",
            // Fifteen processes with ten connections each at most.
            "max_connections=200",
            "shared_buffers=128MB",
            // What was acknowledged must survive a crash.
            "fsync=on",
            "synchronous_commit=on",
            "max_wal_size=1GB",
            "wal_compression=on",
            "jit=off",
            "log_line_prefix=%m [%p] ",
            "log_min_duration_statement=1000",
        ];
        var command = user.Wrap([Path.Combine(binaries, "postgres"), "-D", folder, .. settings.SelectMany(s => new[] { "-c", s })]);
        return new(command[0], command[1..], port, File.ReadAllText(passwordFile));
    }

    /// <summary>Asks the way a client does: a server that is starting up or recovering refuses with 57P03.</summary>
    public async Task<HealthCheckResult> CheckAsync(CancellationToken ct)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync("127.0.0.1", Port, ct);
            await socket.SendAsync(StartupMessage(), ct);
            // One answer, read whole, or the server would log a broken connection.
            var answer = new byte[512];
            var isUp = await socket.ReceiveAsync(answer, ct) > 0 && answer[0] == (byte)'R';
            socket.Shutdown(SocketShutdown.Both);
            return isUp
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy("starting up");
        }
        catch (SocketException e)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }

    private static byte[] StartupMessage()
    {
        var text = Encoding.ASCII.GetBytes($"user\0{Name}\0database\0{Name}\0\0");
        var message = new byte[8 + text.Length];
        BinaryPrimitives.WriteInt32BigEndian(message, message.Length);
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(4), 196608);
        text.CopyTo(message, 8);
        return message;
    }

    private static void Create(string binaries, string folder, string password, RunAs user)
    {
        var parent = Path.GetDirectoryName(folder)!;
        Directory.CreateDirectory(folder);
        user.Own(folder);
        var passwordFile = Path.Combine(parent, ".pgpass");
        ConfigGenerator.WriteSecretFile(passwordFile, password);
        user.Own(passwordFile);
        try
        {
            Execute(user.Wrap([Path.Combine(binaries, "initdb"), "-D", folder, "-U", Name, "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", $"--pwfile={passwordFile}"]), null);
            Execute(user.Wrap([Path.Combine(binaries, "postgres"), "--single", "-D", folder, "postgres"]), $"CREATE DATABASE {Name};\n");
        }
        catch (RunFault)
        {
            // Half a database is worse than none: the next run begins anew.
            Directory.Delete(folder, recursive: true);
            throw;
        }
        finally
        {
            File.Delete(passwordFile);
        }
    }

    private static void Execute(string[] command, string? input)
    {
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        using var process = Process.Start(start)!;
        process.StandardInput.Write(input ?? "");
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new RunFault($"{string.Join(' ', command)} failed:\n{output}{errors.GetAwaiter().GetResult()}\n  fix  the reason stands above; an unwritable folder can be avoided with --data DIR");
        }
    }

    /// <summary>After a run that was killed its server may take some seconds to end; two servers on one folder are refused by PostgreSQL.</summary>
    private static void WaitForPredecessor(string folder)
    {
        var file = Path.Combine(folder, "postmaster.pid");
        var signalled = false;
        for (var i = 0; i < 300 && File.Exists(file); i++)
        {
            var first = File.ReadLines(file).FirstOrDefault();
            if (!int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) || !Runs(pid, folder))
            {
                return;
            }

            if (!signalled && i >= 120)
            {
                using var stop = Process.Start("kill", ["-INT", first!]);
                stop.WaitForExit();
                signalled = true;
            }

            Task.Delay(100).Wait();
        }
    }

    private static bool Runs(int pid, string folder)
    {
        try
        {
            return Directory.ResolveLinkTarget($"/proc/{pid}/cwd", returnFinalTarget: false)?.FullName == folder;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>The newest version, but the one that made the data if there is some.</summary>
    private static string? FindBinaries(string folder)
    {
        var versionFile = Path.Combine(folder, "PG_VERSION");
        var wanted = File.Exists(versionFile) ? File.ReadAllText(versionFile).Trim() : null;
        var found = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Where(d => File.Exists(Path.Combine(d, "bin", "postgres"))).ToList()
            : [];
        if (wanted is not null && found.Count > 0)
        {
            return found.Find(d => Path.GetFileName(d) == wanted) is { } match
                ? Path.Combine(match, "bin")
                : throw new RunFault($"The data in {folder} is of PostgreSQL {wanted}, which is not installed.\n  fix  apt-get install postgresql-{wanted}, or move the data with pg_upgrade, or begin anew with --data DIR");
        }

        var newest = found.MaxBy(d => int.TryParse(Path.GetFileName(d), NumberStyles.None, CultureInfo.InvariantCulture, out var v) ? v : 0);
        return newest is not null
            ? Path.Combine(newest, "bin")
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').FirstOrDefault(p => File.Exists(Path.Combine(p, "initdb")));
    }
}
