using Matrix.Migrator;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;

var loaded = HomeserverConfigLoader.Load(ServiceEnvironment.Current);
if (loaded.Config is { } config) return (int)await MigratorRun.RunAsync(config.Database, Console.Out, Console.Error, CancellationToken.None);
await Console.Error.WriteLineAsync(ConfigFault.Format(loaded.Faults));
return (int)MigratorExit.Configuration;
