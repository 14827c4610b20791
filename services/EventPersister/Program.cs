using Matrix.EventPersister;
using Matrix.Web;
using Matrix.Web.Routing;

var builder = MatrixService.Create("eventpersister", args);
builder.AddEventPersister();
var app = builder.Build();
app.UseMatrix();
app.MapEventPersister();
return await app.RunMatrixAsync();
