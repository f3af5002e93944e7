using System.Collections.Immutable;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace Myna.Generators.State;

/// <summary>
/// Writes the <c>IStateful</c> members of classes marked <c>[Stateful]</c> from their <c>[Saved]</c> fields, and refuses
/// to compile a class with a mutable field that is neither saved nor declared not to be.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class StateGenerator : IIncrementalGenerator
{
    private const string Namespace = "Myna.Hardware.State";

    private static readonly DiagnosticDescriptor Unmarked = new(
        "MYNA001", "Mutable field without a state attribute",
        "Field '{0}' of stateful class '{1}' can change: mark it [Saved(tag)] or [NotSaved(\"why\")]",
        "Myna.State", DiagnosticSeverity.Error, isEnabledByDefault: true);

    private static readonly DiagnosticDescriptor BadTag = new(
        "MYNA002", "State tag out of range or used twice",
        "Field '{0}' of '{1}': tags are 1 to 65535 and unique in their class",
        "Myna.State", DiagnosticSeverity.Error, isEnabledByDefault: true);

    private static readonly DiagnosticDescriptor BadType = new(
        "MYNA003", "Type cannot be saved",
        "Field '{0}' of '{1}' has type '{2}', which cannot be saved; see SavedAttribute",
        "Myna.State", DiagnosticSeverity.Error, isEnabledByDefault: true);

    private static readonly DiagnosticDescriptor NoSync = new(
        "MYNA004", "Stateful class without Sync",
        "Stateful class '{0}' needs a method 'void Sync()' that derives what is not saved",
        "Myna.State", DiagnosticSeverity.Error, isEnabledByDefault: true);

    private enum Shape { Invalid, Value, FixedArray, GrowingArray, Text, Item, Items }

    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        // Records of strings, not symbols: an unchanged class costs nothing on the next keystroke.
        IncrementalValuesProvider<Output> outputs = context.SyntaxProvider.ForAttributeWithMetadataName(
            Namespace + ".StatefulAttribute",
            static (node, _) => node is ClassDeclarationSyntax,
            static (attributed, _) => Describe((INamedTypeSymbol)attributed.TargetSymbol, attributed.Attributes[0]));

        context.RegisterSourceOutput(outputs, static (production, output) =>
        {
            foreach (Diagnostic diagnostic in output.Diagnostics)
                production.ReportDiagnostic(diagnostic);
            if (output.Source is { } source)
                production.AddSource(output.FileName, SourceText.From(source, Encoding.UTF8));
        });
    }

    private static Output Describe(INamedTypeSymbol type, AttributeData attribute)
    {
        ImmutableArray<Diagnostic>.Builder problems = ImmutableArray.CreateBuilder<Diagnostic>();
        var save = new StringBuilder();
        var load = new StringBuilder();
        var tags = new System.Collections.Generic.HashSet<int>();
        bool inherits = type.BaseType is { } parent && IsStateful(parent);
        for (INamedTypeSymbol? ancestor = type.BaseType; ancestor is not null && IsStateful(ancestor); ancestor = ancestor.BaseType)
        {
            foreach (IFieldSymbol field in ancestor.GetMembers().OfType<IFieldSymbol>())
            {
                if (Find(field, "SavedAttribute") is { } inherited)
                    tags.Add((int)inherited.ConstructorArguments[0].Value!);
            }
        }

        foreach (IFieldSymbol field in type.GetMembers().OfType<IFieldSymbol>())
        {
            if (field.IsStatic || field.IsConst)
                continue;
            string shown = field.AssociatedSymbol?.Name ?? field.Name;
            Location? place = (field.AssociatedSymbol ?? field).Locations.FirstOrDefault();
            AttributeData? saved = Find(field, "SavedAttribute");
            if (saved is null)
            {
                if (Find(field, "NotSavedAttribute") is null && CanChange(field))
                    problems.Add(Diagnostic.Create(Unmarked, place, shown, type.Name));
                continue;
            }

            int tag = saved.ConstructorArguments[0].Value is int number ? number : 0;
            if (tag is < 1 or > 65535 || !tags.Add(tag))
                problems.Add(Diagnostic.Create(BadTag, place, shown, type.Name));
            string name = field.AssociatedSymbol is null ? "this." + field.Name : "this." + field.AssociatedSymbol.Name;
            Shape shape = ShapeOf(field);
            save.AppendLine($"        writer.Name(\"{shown.TrimStart('_')}\");");
            // A property's backing field cannot be passed by reference.
            bool property = field.AssociatedSymbol is not null;
            switch (shape)
            {
                case Shape.Value:
                    save.AppendLine($"        writer.Write((ushort){tag}, {name});");
                    load.AppendLine(property
                        ? $"        {{ var value = {name}; reader.Read((ushort){tag}, ref value); {name} = value; }}"
                        : $"        reader.Read((ushort){tag}, ref {name});");
                    break;
                case Shape.FixedArray:
                    save.AppendLine($"        writer.Write((ushort){tag}, new global::System.ReadOnlySpan<{Element(field)}>({name}));");
                    load.AppendLine($"        reader.Read((ushort){tag}, new global::System.Span<{Element(field)}>({name}));");
                    break;
                case Shape.GrowingArray:
                    save.AppendLine($"        writer.Write((ushort){tag}, new global::System.ReadOnlySpan<{Element(field)}>({name}));");
                    load.AppendLine(property
                        ? $"        {{ var value = {name}; reader.ReadArray((ushort){tag}, ref value); {name} = value; }}"
                        : $"        reader.ReadArray((ushort){tag}, ref {name});");
                    break;
                case Shape.Text:
                    save.AppendLine($"        writer.Write((ushort){tag}, (string?){name});");
                    load.AppendLine($"        {{ string? value = {name}; reader.Read((ushort){tag}, ref value); {name} = value!; }}");
                    break;
                case Shape.Item:
                    save.AppendLine($"        writer.Write((ushort){tag}, (global::{Namespace}.IStateful?){name});");
                    load.AppendLine($"        reader.Read((ushort){tag}, (global::{Namespace}.IStateful?){name});");
                    break;
                case Shape.Items:
                    save.AppendLine($"        writer.Write((ushort){tag}, new global::System.ReadOnlySpan<global::{Namespace}.IStateful>({name}));");
                    load.AppendLine($"        reader.Read((ushort){tag}, new global::System.ReadOnlySpan<global::{Namespace}.IStateful>({name}));");
                    break;
                default:
                    problems.Add(Diagnostic.Create(BadType, place, shown, type.Name, field.Type.ToDisplayString()));
                    break;
            }
        }

        if (!HasSync(type))
            problems.Add(Diagnostic.Create(NoSync, type.Locations.FirstOrDefault(), type.Name));
        if (problems.Count != 0)
            return new Output(type.Name, null, problems.ToImmutable());

        string kind = (string)attribute.ConstructorArguments[0].Value!;
        int version = (int)attribute.ConstructorArguments[1].Value!;
        string file = type.ToDisplayString().Replace('<', '_').Replace('>', '_').Replace(", ", "_") + ".State.g.cs";
        return new Output(file, Write(type, kind, version, inherits, save.ToString(), load.ToString()), problems.ToImmutable());
    }

    private static string Write(INamedTypeSymbol type, string kind, int version, bool inherits, string save, string load)
    {
        // Base classes that are stateful themselves save first; only the most derived class synchronises.
        string virtuality = inherits ? "override" : type.IsSealed ? "" : "virtual";
        string modifier = virtuality.Length == 0 ? "" : virtuality + " ";
        string fieldsModifier = inherits ? "protected override" : type.IsSealed ? "private" : "protected virtual";
        var text = new StringBuilder();
        text.AppendLine("// <auto-generated/>").AppendLine("#nullable enable");
        if (!type.ContainingNamespace.IsGlobalNamespace)
            text.AppendLine($"namespace {type.ContainingNamespace.ToDisplayString()};");
        var outers = new System.Collections.Generic.Stack<INamedTypeSymbol>();
        for (INamedTypeSymbol? outer = type.ContainingType; outer is not null; outer = outer.ContainingType)
            outers.Push(outer);
        foreach (INamedTypeSymbol outer in outers)
            text.AppendLine($"partial class {outer.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat)} {{");
        text.AppendLine($"partial class {type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat)} : global::{Namespace}.IStateful");
        text.AppendLine("{");
        text.AppendLine("    /// <inheritdoc/>").AppendLine($"    public {modifier}string StateName => {Microsoft.CodeAnalysis.CSharp.SymbolDisplay.FormatLiteral(kind, true)};");
        text.AppendLine("    /// <inheritdoc/>").AppendLine($"    public {modifier}int StateVersion => {version};");
        if (!inherits)
        {
            text.AppendLine("    /// <inheritdoc/>");
            text.AppendLine($"    public void SaveState(global::{Namespace}.StateWriter writer) => SaveFields(writer);");
            text.AppendLine("    /// <inheritdoc/>");
            text.AppendLine($"    public void LoadState(global::{Namespace}.StateReader reader) {{ LoadFields(reader); Sync(); }}");
        }
        text.AppendLine($"    {fieldsModifier} void SaveFields(global::{Namespace}.StateWriter writer)").AppendLine("    {");
        if (inherits)
            text.AppendLine("        base.SaveFields(writer);");
        text.Append(save).AppendLine("    }");
        text.AppendLine($"    {fieldsModifier} void LoadFields(global::{Namespace}.StateReader reader)").AppendLine("    {");
        if (inherits)
            text.AppendLine("        base.LoadFields(reader);");
        text.Append(load).AppendLine("    }").AppendLine("}");
        foreach (INamedTypeSymbol _ in outers)
            text.AppendLine("}");
        return text.ToString();
    }

    /// <summary>A field whose object or content can differ between two moments of the class's life.</summary>
    private static bool CanChange(IFieldSymbol field)
    {
        if (!field.IsReadOnly)
            return true;
        // A readonly array still has mutable elements; other readonly references are collaborators with a state of their own,
        // collections of the base library excepted.
        if (field.Type is IArrayTypeSymbol)
            return true;
        return field.Type.ContainingNamespace?.ToDisplayString() is "System.Collections.Generic" or "System.Collections.Concurrent"
            && field.Type.Name is not ("IReadOnlyList" or "IReadOnlyCollection" or "IReadOnlyDictionary" or "IEnumerable" or "IComparer" or "IEqualityComparer");
    }

    private static Shape ShapeOf(IFieldSymbol field)
    {
        if (field.Type is IArrayTypeSymbol array)
        {
            if (array.Rank != 1)
                return Shape.Invalid;
            if (IsItem(array.ElementType))
                return Shape.Items;
            if (!array.ElementType.IsUnmanagedType)
                return Shape.Invalid;
            return field.IsReadOnly ? Shape.FixedArray : Shape.GrowingArray;
        }
        if (field.Type.SpecialType == SpecialType.System_String)
            return field.IsReadOnly ? Shape.Invalid : Shape.Text;
        if (IsItem(field.Type))
            return Shape.Item;
        return field.Type.IsUnmanagedType && !field.IsReadOnly ? Shape.Value : Shape.Invalid;
    }

    private static string Element(IFieldSymbol field)
        => ((IArrayTypeSymbol)field.Type).ElementType.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat);

    private static bool IsItem(ITypeSymbol type)
        => (type is INamedTypeSymbol named && IsStateful(named))
            || type.ToDisplayString() == Namespace + ".IStateful"
            || type.AllInterfaces.Any(i => i.ToDisplayString() == Namespace + ".IStateful");

    private static bool IsStateful(INamedTypeSymbol type) => type.GetAttributes().Any(a => Is(a, "StatefulAttribute"));

    private static bool HasSync(INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? t = type; t is not null; t = t.BaseType)
        {
            if (t.GetMembers("Sync").OfType<IMethodSymbol>().Any(m => m.Parameters.Length == 0 && m.ReturnsVoid && !m.IsStatic))
                return true;
        }
        return false;
    }

    private static AttributeData? Find(IFieldSymbol field, string name) => field.GetAttributes().FirstOrDefault(a => Is(a, name));

    private static bool Is(AttributeData attribute, string name)
        => attribute.AttributeClass is { } c && c.Name == name && c.ContainingNamespace.ToDisplayString() == Namespace;

    private sealed class Output(string fileName, string? source, ImmutableArray<Diagnostic> diagnostics)
    {
        public string FileName { get; } = fileName;
        public string? Source { get; } = source;
        public ImmutableArray<Diagnostic> Diagnostics { get; } = diagnostics;

        public override bool Equals(object? obj)
            => obj is Output other && other.FileName == FileName && other.Source == Source && other.Diagnostics.SequenceEqual(Diagnostics);

        public override int GetHashCode() => FileName.GetHashCode();
    }
}
