using Iced.Intel;

namespace Myna.Cpu.X86.Instructions;

/// <summary>
/// A row of the instruction table, on the method that is the semantics of these mnemonics. Two kinds of method can carry it:
/// <c>public static void Name(ref TOps ops, in Insn insn)</c> of a static class with the type parameters TOps, T, V, written once
/// for interpreter and translator; and instance methods <c>Flow Name(in Insn insn)</c> of <see cref="X86Cpu"/> for what
/// only the interpreter executes (system instructions). Without mnemonics: the decoder picks the method by name for
/// forms that share their mnemonic with others.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class X86InstructionAttribute(params Mnemonic[] mnemonics) : Attribute
{
    public Mnemonic[] Mnemonics { get; } = mnemonics;
}

/// <summary>
/// As <see cref="X86InstructionAttribute"/> for single encodings of mnemonics that another method handles otherwise: the string
/// and the SSE2 instruction MOVSD, or the MMX forms of SSE2's integer instructions.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class X86FormAttribute(params Code[] codes) : Attribute
{
    public Code[] Codes { get; } = codes;
}

/// <summary>
/// As <see cref="X86InstructionAttribute"/> for the mnemonics that are one vector operation: legacy and VEX-encoded.
/// The method finds it by <see cref="X86Table.Operation"/>.
/// </summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class VectorInstructionAttribute(Jit.Operations.VectorOp operation, params Mnemonic[] mnemonics) : Attribute
{
    public Jit.Operations.VectorOp Operation { get; } = operation;
    public Mnemonic[] Mnemonics { get; } = mnemonics;
}
