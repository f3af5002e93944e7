using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Myna.Generators.State;
using Myna.Hardware.State;

namespace Myna.Architecture.Tests;

/// <summary>Forgetting a mutable field must not compile.</summary>
public sealed class StateGeneratorTests
{
    private static ImmutableArray<Diagnostic> Compile(string members)
    {
        string source = $$"""
            using Myna.Hardware.State;
            namespace Sample;
            [Stateful("sample")]
            public sealed partial class Sample
            {
                {{members}}
            }
            """;
        MetadataReference[] references = [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(':')
            .Append(typeof(StatefulAttribute).Assembly.Location).Distinct().Select(p => MetadataReference.CreateFromFile(p))];
        CSharpCompilation compilation = CSharpCompilation.Create("sample", [CSharpSyntaxTree.ParseText(source)], references,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        CSharpGeneratorDriver.Create(new StateGenerator())
            .RunGeneratorsAndUpdateCompilation(compilation, out Compilation output, out ImmutableArray<Diagnostic> generator);
        return [.. generator, .. output.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error)];
    }

    [Fact]
    public void A_class_with_every_field_marked_compiles()
        => Assert.Empty(Compile("[Saved(1)] int _a; [NotSaved(\"wiring\")] object? _b; readonly int _c = 1; const int D = 2; void Sync() { _a = _c; _b = D; }"));

    [Theory]
    [InlineData("int _a; void Sync() { _a = 1; }", "MYNA001")]
    [InlineData("public int A { get; set; } void Sync() { }", "MYNA001")]
    [InlineData("readonly int[] _a = new int[4]; void Sync() { }", "MYNA001")]
    [InlineData("readonly System.Collections.Generic.Queue<int> _a = new(); void Sync() { }", "MYNA001")]
    [InlineData("[Saved(1)] int _a; [Saved(1)] int _b; void Sync() { _a = _b = 1; }", "MYNA002")]
    [InlineData("[Saved(0)] int _a; void Sync() { _a = 1; }", "MYNA002")]
    [InlineData("[Saved(1)] object? _a; void Sync() { _a = null; }", "MYNA003")]
    [InlineData("[Saved(1)] int _a; int Other() => _a = 1;", "MYNA004")]
    public void A_mistake_is_an_error_of_its_own(string members, string id)
        => Assert.Contains(Compile(members), d => d.Id == id && d.Severity == DiagnosticSeverity.Error);
}
