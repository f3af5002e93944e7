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

    /// <param name="model">Loses what this host's guests cannot have.</param>
    /// <param name="description">What the user asked for; null for the default.</param>
    /// <returns>Null: the CPUs are emulated.</returns>
    /// <exception cref="MachineException">KVM was asked for, and it or the CPU model cannot be had.</exception>
    public static KvmHost? Open(Accel accel, ref CpuModel model, string? description, LogChannel log)
    {
        if (accel != Accel.Kvm)
            return null;
        KvmHost host = KvmHost.TryOpen(out string reason) ?? throw new MachineException($"--accel kvm: {reason}");
        try
        {
            IReadOnlyList<CpuFeature> missing = KvmCpuid.Missing(model, host.SupportedCpuid());
            bool flexible = description is null || s_flexible.Contains(description.Split(',')[0].Trim());
            // With local APICs of our own there is no telling when the host's counter reaches a deadline.
            CpuFeature[] ours = [CpuFeature.TscDeadlineTimer];
            CpuFeature[] lost = [.. missing.Except(ours)];
            if (lost.Length != 0 && !flexible)
                throw new MachineException($"--cpu {description}: KVM on this host lacks {string.Join(", ", lost.Select(CpuModel.NameOf))}; take --cpu host, or leave them out with {string.Concat(lost.Select(f => $",-{CpuModel.NameOf(f)}"))}");
            if (lost.Length != 0)
                log.Info($"KVM on this host lacks {string.Join(", ", lost.Select(CpuModel.NameOf))}");
            model = model.Without([.. lost, .. ours]);
            return host;
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
}
