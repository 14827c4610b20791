using Matrix.Gateway;
using Matrix.ServiceDefaults;

if (args is ["route", ..]) return RouteTool.Run(args[1..], Console.Out, Console.Error);

var builder = ServiceDefaultsExtensions.CreateService("gateway", args);
var config = builder.Registered<HomeserverConfig>();
try
{
    builder.AddInstanceRegistry(config).AddGateway(config);
}
catch (InvalidDataException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return ServiceDefaultsExtensions.ConfigurationFault;
}

var app = builder.Build();
app.UseGateway().MapServiceDefaults();
await app.RunAsync();
return 0;
