using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using Myna.Host;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

/// <summary>
/// Whether KVM executes any guest at the processor's speed. There are back ends of KVM without hardware virtualization, which
/// interpret most of a stock kernel's code: slower than translation by far, and without many instructions.
/// </summary>
public static class KvmProbe
{
    private const int Loops = 20_000, Tries = 3, PatienceMs = 100;
    private static readonly TimeSpan s_enough = TimeSpan.FromMilliseconds(2);

    // Ports that the program reports to.
    private const ushort Begin = 0x11, Done = 0x10;

    // 64-bit code at privilege level 0, with what every kernel does: a loop, x87, SSE.
    private static ReadOnlySpan<byte> Program =>
    [
        0xe6, (byte)Begin,                                                 // out 11h, al
        0xb9, Loops & 0xff, Loops >> 8, 0, 0,                              // mov ecx, Loops
        0xff, 0xc9, 0x75, 0xfc,                                            // dec ecx; jnz .-2
        0xd9, 0xe8, 0xdd, 0xd8,                                            // fld1; fstp st(0)
        0x66, 0x0f, 0x6e, 0xc1, 0x0f, 0x58, 0xc0,                          // movd xmm0, ecx; addps xmm0, xmm0
        0xe6, (byte)Done, 0xeb, 0xfe,                                      // out 10h, al; jmp .
    ];

    /// <summary>One line for the user, or null: KVM is as it should be.</summary>
    public static string? WhyNot(KvmHost host)
    {
        if (!HasHardware)
            return "this processor shows neither VMX nor SVM, so that KVM here is software, slower than translation";
        return TryGuest(host);
    }

    /// <summary>Whether the processor says that it has hardware virtualization.</summary>
    public static bool HasHardware
    {
        get
        {
            if (!X86Base.IsSupported)
                return false;
            bool vmx = (X86Base.CpuId(1, 0).Ecx >> 5 & 1) != 0;
            return vmx || ((uint)X86Base.CpuId(unchecked((int)0x8000_0000), 0).Eax >= 0x8000_0001 && (X86Base.CpuId(unchecked((int)0x8000_0001), 0).Ecx >> 2 & 1) != 0);
        }
    }

    /// <summary>Executes a guest of a few instructions.</summary>
    /// <returns>What was wrong with it, or null.</returns>
    public static string? TryGuest(KvmHost host)
    {
        try
        {
            using var memory = new NativeBlock(4 * 4096);
            using KvmVm vm = host.CreateVm();
            using KvmVcpu cpu = vm.CreateVcpu(0);
            vm.SetMemory(0, 0, 4 * 4096, memory.Address, readOnly: false);
            cpu.SetCpuid(host.SupportedCpuid());
            Program.CopyTo(memory.Span<byte>(0, Program.Length));
            memory.At<ulong>(0x1000) = 0x2003;
            memory.At<ulong>(0x2000) = 0x3003;
            memory.At<ulong>(0x3000) = 0x83;
            TimeSpan best = TimeSpan.MaxValue;
            for (int i = 0; i < Tries && best > s_enough; i++)
            {
                if (!TryRun(cpu, out TimeSpan time, out string problem))
                    return problem;
                best = time < best ? time : best;
            }
            return best <= s_enough ? null
                : $"KVM executes {Loops * 2 / best.TotalSeconds / 1e6:0.0} million instructions a second here, as an emulator does; translation is faster";
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    private static bool TryRun(KvmVcpu cpu, out TimeSpan time, out string problem)
    {
        var code = new KvmSegment { Selector = 8, Limit = uint.MaxValue, Type = 11, S = 1, Present = 1, L = 1, G = 1 };
        var data = new KvmSegment { Selector = 16, Limit = uint.MaxValue, Type = 3, S = 1, Present = 1, Db = 1, G = 1 };
        cpu.Get(out KvmSregs sregs, second: false);
        (sregs.Cs, sregs.Ds, sregs.Es, sregs.Fs, sregs.Gs, sregs.Ss) = (code, data, data, data, data, data);
        sregs.Cr0 = Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.PG;
        sregs.Cr3 = 0x1000;
        sregs.Cr4 = Cr4.PAE | Cr4.OSFXSR;
        sregs.Efer = Efer.LME | Efer.LMA;
        var regs = new KvmRegs { Rflags = 2 };
        time = default;
        if (cpu.TrySet(ref sregs, second: false) < 0)
        {
            problem = "KVM refuses a CPU in 64-bit mode";
            return false;
        }
        cpu.Set(ref regs);
        int stop = 0;
        using var patience = new Timer(_ =>
        {
            Volatile.Write(ref stop, 1);
            cpu.Kick();
        }, null, PatienceMs, Timeout.Infinite);
        cpu.ForgetThread();
        long start = 0;
        while (true)
        {
            KvmEntry entry = cpu.Enter(ref stop);
            long now = Stopwatch.GetTimestamp();
            ref KvmRun run = ref cpu.Run;
            if (entry == KvmEntry.Interrupted && Volatile.Read(ref stop) == 0)
                continue;
            if (entry != KvmEntry.Exited)
            {
                time = TimeSpan.FromMilliseconds(PatienceMs);
                problem = "";
                return true;
            }
            if (run.ExitReason == KvmExitReason.IO && run.IoPort == Begin)
            {
                start = now;
                continue;
            }
            time = Stopwatch.GetElapsedTime(start, now);
            problem = run.ExitReason == KvmExitReason.INTERNAL_ERROR ? $"KVM does not execute common instructions of kernels ({run.Describe()})" : $"a first guest failed: {run.Describe()}";
            return run.ExitReason == KvmExitReason.IO;
        }
    }
}
