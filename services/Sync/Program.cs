using Matrix.Sync;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("sync", args);
builder.AddSync();
builder.AddSyncWarmUp();
var app = builder.Build();
app.UseMatrix();
app.MapSync();
return await app.RunMatrixAsync();
