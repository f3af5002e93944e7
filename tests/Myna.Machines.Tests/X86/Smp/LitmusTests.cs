using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static Myna.Machines.Tests.X86.Smp.SmpGuest;

namespace Myna.Machines.Tests.X86.Smp;

/// <summary>
/// Litmus tests of x86's memory model (Intel SDM volume 3, section 10.2.3, whose examples are named here; Owens, Sarkar, Sewell: "A better x86
/// memory model: x86-TSO"). Every round has locations of its own, so that CPUs run through many without waiting for each other.
/// </summary>
public sealed class LitmusTests
{
    private const int Rounds = 2048, Together = 32;

    // Locations X and Y of a round: RBX is 64 times its number. R8, R9 are a CPU's results.
    private const int X = 0x60_0000, Y = 0x80_0000, Results = 0xa0_0000;

    private static AssemblerMemoryOperand At(int location) => __qword_ptr[rbx + location];

    /// <summary>The programs of CPUs, and outcomes that must not be: of R8 and R9 of each CPU, then X and Y at the end.</summary>
    private static readonly Dictionary<string, (Action<Assembler>[] Programs, Func<ulong[], bool> Forbidden)> s_tests = new()
    {
        ["MP: stores are seen in order (10.2.3.2)"] = (
        [
            a => { Store(a, X, 1); Store(a, Y, 1); },
            a => { a.mov(r8, At(Y)); a.mov(r9, At(X)); },
        ], r => r[2] == 1 && r[3] == 0),
        ["LB: stores do not overtake loads (10.2.3.3)"] = (
        [
            a => { a.mov(r8, At(X)); Store(a, Y, 1); },
            a => { a.mov(r8, At(Y)); Store(a, X, 1); },
        ], r => r[0] == 1 && r[2] == 1),
        ["SB with MFENCE"] = (
        [
            a => { Store(a, X, 1); a.mfence(); a.mov(r8, At(Y)); },
            a => { Store(a, Y, 1); a.mfence(); a.mov(r8, At(X)); },
        ], r => r[0] == 0 && r[2] == 0),
        ["SB with locked instructions (10.2.3.9)"] = (
        [
            a => { a.mov(eax, 1); a.xchg(At(X), rax); a.mov(r8, At(Y)); },
            a => { a.mov(eax, 1); a.@lock.xadd(At(Y), rax); a.mov(r8, At(X)); },
        ], r => r[0] == 0 && r[2] == 0),
        ["a CPU sees its own stores (10.2.3.5)"] = (
        [
            a => { Store(a, X, 1); a.mov(r8, At(X)); a.mov(r9, At(Y)); },
            a => { Store(a, Y, 1); a.mov(r8, At(Y)); a.mov(r9, At(X)); },
        ], r => r[0] != 1 || r[2] != 1),
        ["CoRR: loads of one location"] = (
        [
            a => Store(a, X, 1),
            a => { a.mov(r8, At(X)); a.mov(r9, At(X)); },
        ], r => r[2] == 1 && r[3] == 0),
        ["2+2W: stores have one order"] = (
        [
            a => { Store(a, X, 1); Store(a, Y, 2); },
            a => { Store(a, Y, 1); Store(a, X, 2); },
        ], r => r[^2] == 1 && r[^1] == 1),
        ["S"] = (
        [
            a => { Store(a, X, 2); Store(a, Y, 1); },
            a => { a.mov(r8, At(Y)); Store(a, X, 1); },
        ], r => r[2] == 1 && r[^2] == 2),
        ["WRC: what was seen is seen by others (10.2.3.6)"] = (
        [
            a => Store(a, X, 1),
            a => { a.mov(r8, At(X)); Store(a, Y, 1); },
            a => { a.mov(r8, At(Y)); a.mov(r9, At(X)); },
        ], r => r[2] == 1 && r[4] == 1 && r[5] == 0),
        ["IRIW: all agree on the order of two stores (10.2.3.7)"] = (
        [
            a => Store(a, X, 1),
            a => Store(a, Y, 1),
            a => { a.mov(r8, At(X)); a.mov(r9, At(Y)); },
            a => { a.mov(r8, At(Y)); a.mov(r9, At(X)); },
        ], r => r[4] == 1 && r[5] == 0 && r[6] == 1 && r[7] == 0),
        ["IRIW of locked instructions (10.2.3.8)"] = (
        [
            a => { a.mov(eax, 1); a.xchg(At(X), rax); },
            a => { a.mov(eax, 1); a.xchg(At(Y), rax); },
            a => { a.mov(r8, At(X)); a.mov(r9, At(Y)); },
            a => { a.mov(r8, At(Y)); a.mov(r9, At(X)); },
        ], r => r[4] == 1 && r[5] == 0 && r[6] == 1 && r[7] == 0),
        ["aligned accesses are not torn (10.1.1)"] = (
        [
            a => { a.mov(rax, -1L); a.mov(At(X), rax); },
            a => { a.mov(r8, At(X)); a.mov(r9d, __dword_ptr[rbx + X + 4]); },
        ], r => r[2] is not (0 or ulong.MaxValue) || (r[2] != 0 && r[3] != uint.MaxValue)),
        // Allowed: whoever forbids it here sees nothing but that the programs run (10.2.3.4).
        ["SB"] = (
        [
            a => { Store(a, X, 1); a.mov(r8, At(Y)); },
            a => { Store(a, Y, 1); a.mov(r8, At(X)); },
        ], r => r[0] > 1 || r[2] > 1),
    };

    internal static IEnumerable<string> Names => s_tests.Keys;

    public static TheoryData<Accel, string> Tests()
    {
        var rows = new TheoryData<Accel, string>();
        foreach (string name in s_tests.Keys)
        {
            rows.Add(Accel.Interp, name);
            rows.Add(Accel.Jit, name);
        }
        return rows;
    }

    private static void Store(Assembler a, int location, int value) => a.mov(At(location), value);

    [Theory]
    [MemberData(nameof(Tests))]
    public void No_forbidden_outcome_is_seen(Accel accel, string name)
    {
        (Action<Assembler>[] programs, Func<ulong[], bool> forbidden) = s_tests[name];
        int cpus = programs.Length;
        using var g = new SmpGuest(accel, cpus);
        Assert.Equal(0, g.Run(a =>
        {
            Label end = a.CreateLabel();
            // Every CPU has a loop of its own; the barriers are the same.
            Label[] loops = [.. programs.Select((_, i) => a.CreateLabel($"loop{i}"))];
            for (int i = 0; i < cpus; i++)
            {
                a.cmp(edi, i);
                a.je(loops[i]);
            }
            a.ud2();
            for (int i = 0; i < cpus; i++)
            {
                a.Label(ref loops[i]);
                a.xor(ebx, ebx);
                Label round = a.CreateLabel(), goOn = a.CreateLabel();
                a.Label(ref round);
                a.test(ebx, Together * 64 - 1);
                a.jnz(goOn);
                g.Meet(a, 0);
                a.Label(ref goOn);
                a.xor(r8d, r8d);
                a.xor(r9d, r9d);
                programs[i](a);
                a.mov(__qword_ptr[rbx + Results + 16 * i], r8);
                a.mov(__qword_ptr[rbx + Results + 16 * i + 8], r9);
                a.add(ebx, 64);
                a.cmp(ebx, Rounds * 64);
                a.jne(round);
                a.jmp(end);
            }
            a.Label(ref end);
            g.Barrier(a);
        }));
        var outcome = new ulong[2 * cpus + 2];
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < 2 * cpus; i++)
                outcome[i] = g[Results + 64 * round + 8 * i];
            (outcome[^2], outcome[^1]) = (g[X + 64 * round], g[Y + 64 * round]);
            Assert.False(forbidden(outcome), $"round {round}: {string.Join(' ', outcome)}");
        }
    }
}
