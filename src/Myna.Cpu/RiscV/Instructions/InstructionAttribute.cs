namespace Myna.Cpu.RiscV.Instructions;

/// <summary>
/// A row of the instruction table, on the method that is the instruction's semantics.
/// </summary>
/// <param name="pattern">
/// The encoding from the highest bit to the lowest, 16 or 32 bits, in the manual's notation: strings of 0 and 1, and
/// fields. <c>rd rs1 rs2 rs3</c> have 5 bits, with an apostrophe 3 (x8 to x15); <c>rd/rs1</c> is both. Immediates are
/// <c>imm[12|10:5]</c>, sign-extended from their highest bit, <c>uimm</c> and <c>shamt</c>, zero-extended, with <c>nz</c>
/// in front when zero is another or a reserved encoding. <c>csr</c>, <c>fm pred succ</c> go to the immediate too,
/// <c>zimm</c> to rs1, <c>rm</c> and <c>aq rl</c> to rm. <c>rd!=0,2</c> excludes values. Of two rows that match, the one
/// with more fixed bits wins.
/// </param>
/// <param name="syntax">
/// The assembly text as <c>objdump -M no-aliases</c> has it, with placeholders: {rd} {rs1} {rs2} {rs3}, {frd} … for
/// floating-point registers, {imm}, {uimm20}, {target}, {csr}, {zimm}, {rm} (left out when dynamic), {rne} (left out when
/// 0), {aqrl}, {pred}, {succ}.
/// </param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class InstructionAttribute(string pattern, string syntax) : Attribute
{
    public string Pattern { get; } = pattern;

    public string Syntax { get; } = syntax;

    /// <summary>Fields that the encoding implies, e.g. "rs1=2 rd=2" for C.ADDI16SP.</summary>
    public string Implied { get; set; } = "";
}

/// <summary>The extension that a class's instructions belong to.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ExtensionAttribute(Extension extension) : Attribute
{
    public Extension Extension { get; } = extension;
}

/// <summary>Extensions of the RISC-V instruction set, and the privileged instructions.</summary>
public enum Extension
{
    I, M, A, F, D, Zca, Zcd, Zicsr, Zifencei, Zba, Zbb, Zbs, Zbc, Zicond, Zicbom, Zicboz, Zicbop, Zihintpause, Zihintntl, Zawrs, Privileged, Svinval,
}
