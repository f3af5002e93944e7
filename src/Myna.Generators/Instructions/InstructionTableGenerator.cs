using System;
using System.Collections.Generic;
using System.Collections.Immutable;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace Myna.Generators.Instructions;

/// <summary>Turns the instruction attributes on semantics into the opcode enumeration, decoder, encoder and execution switch.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class InstructionTableGenerator : IIncrementalGenerator
{
    private const string Attribute = "Myna.Cpu.RiscV.Instructions.InstructionAttribute";

    private static readonly DiagnosticDescriptor s_badPattern = new("MYNA010", "Bad instruction pattern",
        "The pattern of {0} {1}", "Myna.Instructions", DiagnosticSeverity.Error, isEnabledByDefault: true);

    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValueProvider<ImmutableArray<Declaration>> declarations = context.SyntaxProvider
            .ForAttributeWithMetadataName(Attribute, static (_, _) => true, static (c, _) => Declaration.From(c))
            .Collect();
        context.RegisterSourceOutput(declarations, static (output, found) => Write(output, found));
    }

    private static void Write(SourceProductionContext output, ImmutableArray<Declaration> declarations)
    {
        if (declarations.IsEmpty)
            return;
        var rows = new List<Row>();
        foreach (Declaration d in declarations.OrderBy(d => d.Order).ThenBy(d => d.Class, StringComparer.Ordinal))
        {
            try
            {
                rows.Add(Row.Parse(d.Method, d.Class, d.Extension, d.Pattern, d.Syntax, d.Implied));
            }
            catch (FormatException e)
            {
                output.ReportDiagnostic(Diagnostic.Create(s_badPattern, null, d.Method, e.Message));
            }
        }
        output.AddSource("InstructionTable.g.cs", SourceText.From(new Writer(rows).Write(), System.Text.Encoding.UTF8));
    }

    /// <summary>One attribute as text, comparable so that an unrelated edit does not run the generator.</summary>
    private sealed record Declaration(string Method, string Class, string Extension, int Order, string Pattern, string Syntax, string Implied)
    {
        public static Declaration From(GeneratorAttributeSyntaxContext context)
        {
            AttributeData attribute = context.Attributes[0];
            INamedTypeSymbol type = context.TargetSymbol.ContainingType;
            TypedConstant extension = type.GetAttributes()
                .First(a => a.AttributeClass?.Name == "ExtensionAttribute").ConstructorArguments[0];
            string name = extension.Type!.GetMembers().OfType<IFieldSymbol>()
                .First(f => Equals(f.ConstantValue, extension.Value)).Name;
            string implied = attribute.NamedArguments.FirstOrDefault(a => a.Key == "Implied").Value.Value as string ?? "";
            return new Declaration(context.TargetSymbol.Name, type.Name, name, (int)extension.Value!,
                (string)attribute.ConstructorArguments[0].Value!, (string)attribute.ConstructorArguments[1].Value!, implied);
        }
    }
}
