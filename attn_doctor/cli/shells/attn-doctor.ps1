# Completion of attn-doctor in PowerShell. Keep it, once, in the profile:
#   attn-doctor completion powershell >> $PROFILE

Register-ArgumentCompleter -Native -CommandName attn-doctor, attn-doctor.exe -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 | Where-Object {
        $_.Extent.EndOffset -lt $cursorPosition
    } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text }
    })
    $Env:ATTN_DOCTOR_WORDS = (@($words) + $wordToComplete) -join "`n"
    $command = $commandAst.CommandElements[0].Extent.Text
    $lines = @(& $command completion powershell --next 2>$null)
    Remove-Item Env:ATTN_DOCTOR_WORDS
    if ($lines.Count -eq 0 -or $lines[0] -ne 'words') {
        return  # files and folders: PowerShell's own
    }
    $lines | Select-Object -Skip 1 | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        $text = if ($value -match '[\s()&;|<>$]') { "'" + $value.Replace("'", "''") + "'" } else { $value }
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($text, $value, 'ParameterValue', $help)
    }
}
