using Myna.Cpu.X86;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Diagnostics;
using Myna.Host.Kvm;

namespace Myna.Machines.X86;

/// <summary>Whether a machine's CPUs run on the host's processor, and which of a CPU model's features they keep there.</summary>
internal static class Virtualization
{
    /// <summary>Models whose features are whatever there is.</summary>
    private static readonly string[] s_flexible = ["max", "host"];

    /// <param name="irqchip">Where the user wants interrupt controllers.</param>
    /// <param name="model">Becomes what this host's guests can have.</param>
    /// <param name="description">What the user asked for; null for the default.</param>
    /// <param name="note">Why the CPUs are emulated although KVM would have been preferred; otherwise empty.</param>
    /// <returns>Null: the CPUs are emulated.</returns>
    /// <exception cref="MachineException">KVM was asked for, and it or the CPU model cannot be had.</exception>
    public static Choice? Choose(Accel accel, Irqchip irqchip, ref CpuModel model, string? description, LogChannel log, out string note)
    {
        note = "";
        if (accel is not (Accel.Kvm or Accel.Auto))
            return null;
        KvmHost? host = KvmHost.TryOpen(out string reason);
        if (host is not null && accel == Accel.Auto && KvmProbe.WhyNot(host) is { } problem)
        {
            reason = problem;
            host.Dispose();
            host = null;
        }
        if (host is null)
        {
            if (accel == Accel.Kvm)
                throw new MachineException($"--accel kvm: {reason}");
            note = reason;
            return null;
        }
        try
        {
            return Use(host, irqchip, ref model, description, log);
        }
        catch (Exception e) when (accel == Accel.Auto && e is IOException or MachineException)
        {
            host.Dispose();
            note = e.Message;
            return null;
        }
        catch (IOException e)
        {
            host.Dispose();
            throw new MachineException($"--accel kvm: {e.Message}", e);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="Choose"/>
    /// <exception cref="IOException">The kernel refuses.</exception>
    internal static Choice Use(KvmHost host, Irqchip irqchip, ref CpuModel model, string? description, LogChannel log)
    {
        var cpuid = new KvmCpuid(host);
        KvmIrqchipMode mode = ModeOf(irqchip, host);
        // With local APICs of our own there is no telling when the host's counter reaches a deadline.
        bool deadline = mode != KvmIrqchipMode.Off && host.Check(KvmCapability.TSC_DEADLINE_TIMER) != 0;
        model = Fit(model, cpuid, deadline ? [] : [CpuFeature.TscDeadlineTimer], description, log);
        ulong hertz = cpuid.ScalesTsc || cpuid.TscKilohertz == 0 ? 1_000_000_000 : cpuid.TscKilohertz * 1000UL;
        return new Choice(host, hertz, mode, model.Has(CpuFeature.Hypervisor) ? cpuid.Paravirtual(mode != KvmIrqchipMode.Off) : 0);
    }

    private static KvmIrqchipMode ModeOf(Irqchip wanted, KvmHost host)
    {
        // What the kernel can do without a processor's help it does with many exits, and modes that it refuses need the controllers here.
        bool can = host.Check(KvmCapability.SPLIT_IRQCHIP) != 0 && host.Check(KvmCapability.SIGNAL_MSI) != 0 && host.Check(KvmCapability.MP_STATE) != 0;
        KvmIrqchipMode mode = wanted switch
        {
            Irqchip.Auto => can && KvmProbe.HasHardware ? KvmIrqchipMode.Split : KvmIrqchipMode.Off,
            Irqchip.Split => KvmIrqchipMode.Split,
            Irqchip.Full => KvmIrqchipMode.Full,
            _ => KvmIrqchipMode.Off,
        };
        if (mode != KvmIrqchipMode.Off && !can)
            throw new MachineException($"--accel kvm,irqchip={wanted.ToString().ToLowerInvariant()}: this kernel lacks KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_SIGNAL_MSI or KVM_CAP_MP_STATE; use irqchip=off");
        return mode;
    }

    private static CpuModel Fit(CpuModel model, KvmCpuid cpuid, IReadOnlyList<CpuFeature> unavailable, string? description, LogChannel log)
    {
        IReadOnlyList<CpuFeature> lost = cpuid.Missing(model);
        if (lost.Count != 0)
        {
            bool flexible = description is null || s_flexible.Contains(description.Split(',')[0].Trim());
            if (!flexible)
                throw new MachineException($"--cpu {description}: KVM on this host lacks {Names(lost)}; take --cpu host, or leave them out with {string.Concat(lost.Select(f => $",-{CpuModel.NameOf(f)}"))}");
            log.Info($"KVM on this host lacks {Names(lost)}");
        }
        CpuFeature[] added = [.. cpuid.Imposed().Where(f => !lost.Contains(f))];
        CpuModel before = model;
        CpuFeature[] surprises = [.. added.Where(f => !before.Has(f))];
        if (surprises.Length != 0)
            log.Info($"KVM on this host adds {Names(surprises)}");
        return model.Without([.. lost, .. unavailable]).With(surprises);
    }

    private static string Names(IEnumerable<CpuFeature> features) => string.Join(", ", features.Select(CpuModel.NameOf));

    /// <summary>KVM, opened, the frequency of the time stamp counter that its guests see, and what else CPUID tells them.</summary>
    internal sealed record Choice(KvmHost Host, ulong TscHertz, KvmIrqchipMode Irqchip, uint Paravirtual);
}
