using Iced.Intel;

namespace Myna.Cpu.X86.Instructions;

/// <summary>
/// A row of the instruction table, on the method that is the semantics of these mnemonics. Two kinds of method can carry it:
/// <c>public static void Name(ref TOps ops, in Insn insn)</c> of a static class with the type parameters TOps, T, V, written once
/// for interpreter and translator; and instance methods <c>Flow Name(in Insn insn)</c> of <see cref="X86Cpu"/> for what
/// only the interpreter executes (system instructions).
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class X86InstructionAttribute(params Mnemonic[] mnemonics) : Attribute
{
    public Mnemonic[] Mnemonics { get; } = mnemonics;
}
